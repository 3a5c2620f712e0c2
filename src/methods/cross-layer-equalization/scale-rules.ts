/** How each operator treats a scale per channel: it carries it on, joins it with others, moves it, or fixes it at 1. */
import {
  bodies,
  combining,
  containers,
  contrib,
  each,
  losses,
  making,
  mapping,
  quantizing,
  random,
  reducing,
  type Table,
  texts,
} from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { Layout } from "./layout.ts";
import {
  depthToSpace,
  gathered,
  type Mover,
  padded,
  reduced,
  reshaped,
  resized,
  sliced,
  transposed,
} from "./move-layout.ts";

/** What a rule may do with a node: each returns the layout of its first output, or fixes its inputs and returns none. */
export interface ScaleTrace {
  /** A layer with constant weights, whose outputs begin groups. */
  layer(node: Node): Layout | undefined;
  /** f(s·x) = s·f(x) for s > 0, number by number, with a constant slope where there is one. */
  homogeneous(node: Node): Layout | undefined;
  /** The same over windows of positions. */
  overPlaces(node: Node): Layout | undefined;
  /** Bounds are divided. */
  clip(node: Node): Layout | undefined;
  /** Computed operands are joined, constant ones divided. */
  join(node: Node): Layout | undefined;
  multiply(node: Node): Layout | undefined;
  concat(node: Node): Layout | undefined;
  split(node: Node): Layout | undefined;
  moved(node: Node, mover: Mover): Layout | undefined;
}

export type ScaleRule = (trace: ScaleTrace, node: Node) => Layout | undefined;

const by =
  (name: Exclude<keyof ScaleTrace, "moved">): ScaleRule =>
  (trace, node) =>
    trace[name](node);

const moves =
  (mover: Mover): ScaleRule =>
  (trace, node) =>
    trace.moved(node, mover);

/** It reads lengths alone, which have no scale: nothing is fixed. */
const unscaled: ScaleRule = () => undefined;

/** Where nothing is known, what is read keeps its scale. */
export const scaleRules: Table<ScaleRule> = {
  // Those that carry a scale on follow below.
  ...each(mapping, { unknown: "it is not homogeneous, or its numbers are not scaled" }),
  ...each(combining, { unknown: "what it compares or computes changes with a scale" }),
  ...each(reducing, { unknown: "it mixes places in another way than by a sum or a maximum, or was not needed" }),

  ...each(["Conv ConvTranspose Gemm MatMul"], by("layer")),
  ...each(["Abs Dropout Identity LeakyRelu Neg PRelu Relu"], by("homogeneous")),
  ...each(["AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool"], by("overPlaces")),
  Clip: by("clip"),
  ...each(["Add Max Mean Min Sub Sum"], by("join")),
  ...each(["Div Mul"], by("multiply")),
  Concat: by("concat"),
  Split: by("split"),
  Transpose: moves(transposed),
  ...each(["Flatten Reshape Squeeze Unsqueeze"], moves(reshaped)),
  Pad: moves(padded),
  ...each(["Resize Upsample"], moves(resized)),
  Slice: moves(sliced),
  Gather: moves(gathered),
  DepthToSpace: moves(depthToSpace),
  ...each(["ReduceMax ReduceMean ReduceMin ReduceSum"], moves(reduced)),
  ...each(["Shape Size"], unscaled),

  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(containers, { unknown: "who reads the parts is not looked for" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(random, { unknown: "what it reads is a shape or a chance" }),
  ...each(
    [
      "BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization",
      "MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization",
    ],
    { unknown: "it takes the scale out again, or weighs the channels against each other" },
  ),
  ...each(["ArgMax ArgMin Hardmax LogSoftmax NonMaxSuppression Softmax TopK Unique"], {
    unknown: "it weighs channels against each other",
  }),
  ...each(["GRU LSTM RNN"], { unknown: "its gates are not homogeneous" }),
  ...each(quantizing, {
    unknown: "scales are chosen before it is written",
  }),
  ...each(making, {
    unknown: "it reads no numbers of a layer",
  }),
  ...each(losses, { unknown: "files that are run have no losses" }),
  ...each(
    [
      "AffineGrid Attention CastLike CenterCropPad Col2Im Compress CumProd CumSum DFT DeformConv Det Einsum Expand GatherElements",
      "GatherND GridSample ImageDecoder MaxRoiPool MaxUnpool NonZero ReverseSequence RoiAlign RotaryEmbedding STFT Scatter",
      "ScatterElements ScatterND SpaceToDepth TensorScatter Tile Trilu",
    ],
    { unknown: "where its channels go was not worked out" },
  ),
  ...each(contrib, { unknown: "optimisers write it after scales are chosen" }),
};
