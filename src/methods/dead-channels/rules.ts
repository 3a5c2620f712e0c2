/** Between which bounds each operator's output lies, from the bounds of its inputs. */
import {
  bodies,
  clipBounds,
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
import { alike, anything, type BoundsRule, inputOf } from "./bounds.ts";
import { layerBounds } from "./layer-bounds.ts";
import { product, rising, sum, uniform } from "./math.ts";
import { averaged, both, concatenated, flattened, moved, padded, resized, transposed } from "./movement.ts";

/** A function of one number that never falls. */
const monotone =
  (f: (v: number) => number): BoundsRule =>
  (step) => {
    const x = inputOf(step);
    return { axis: x.axis, each: rising(x.each, f) };
  };

const clip: BoundsRule = (step) => {
  const { min, max } = clipBounds(step.node) ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  return monotone((v) => Math.min(max, Math.max(min, v)))(step);
};

const leaky: BoundsRule = (step) => {
  const alpha = step.node.float("alpha", 0.01);
  return alpha < 0 ? anything : monotone((v) => (v < 0 && alpha > 0 ? alpha * v : Math.max(0, v)))(step);
};

/** Only the first output is what was read; others are masks and indices. */
const first =
  (rule: BoundsRule): BoundsRule =>
  (step) =>
    step.index === 0 ? rule(step) : anything;

export const boundsRules: Table<BoundsRule> = {
  // Those that a rule is known for follow below.
  ...each(mapping, { unknown: "it falls somewhere, or dead channels do not come behind it" }),
  ...each(combining, { unknown: "dead channels do not come behind it" }),
  ...each(reducing, { unknown: "it mixes channels or places" }),

  ...each(["Conv ConvTranspose Gemm MatMul"], layerBounds),
  Relu: monotone((v) => Math.max(0, v)),
  LeakyRelu: leaky,
  Clip: clip,
  Sigmoid: monotone((v) => 1 / (1 + Math.exp(-v))),
  Tanh: monotone(Math.tanh),
  HardSwish: (step) => {
    const { axis, each } = inputOf(step);
    return { axis, each: { lo: each.lo.map(() => -0.375), hi: each.hi.map((v) => Math.max(0, v)) } };
  },
  Softmax: () => alike(uniform(1, 0, 1)),

  Add: both(sum),
  Sub: both((a, b) => sum(a, { lo: b.hi.map((x) => -x), hi: b.lo.map((x) => -x) })),
  Mul: both(product),

  ...each(["AveragePool GlobalAveragePool GlobalMaxPool"], averaged),
  ...each(["Dropout Identity MaxPool"], first(inputOf)),
  Concat: concatenated,
  Pad: padded,
  ...each(["Flatten Reshape Squeeze"], flattened),
  ...each(["Resize Upsample"], resized),
  Transpose: transposed,

  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(random, { unknown: "a normal distribution has no bounds; the others were not needed" }),
  ...each(
    [
      "CenterCropPad Compress DepthToSpace Expand Gather GatherElements GatherND MaxRoiPool MaxUnpool ReduceMax ReduceMin",
      "ReverseSequence SequenceAt Slice SpaceToDepth SplitToSequence Tile TopK Trilu Unique Unsqueeze",
    ],
    first(moved),
  ),
  Split: moved,
  ...each(["GRU LSTM RNN"], { unknown: "its channels are not traced to dead ones" }),
  ...each(["ArgMax ArgMin NonMaxSuppression NonZero Shape Size"], { unknown: "it returns places or lengths" }),
  ...each(quantizing, {
    unknown: "channels are taken out before it is written",
  }),
  ...each(making, {
    unknown: "it has no channels of a layer",
  }),
  ...each(losses, { unknown: "files that are run have no losses" }),
  ...each(
    [
      "BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization",
      "MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization",
    ],
    { unknown: "it divides by what it sees, or by numbers that were not needed: batch norms are folded first" },
  ),
  ...each(
    [
      "AffineGrid Attention CastLike Col2Im CumProd CumSum DFT DeformConv Det Einsum GlobalLpPool GridSample Hardmax",
      "ImageDecoder LogSoftmax LpPool PRelu RoiAlign RotaryEmbedding STFT Scatter ScatterElements ScatterND TensorScatter",
    ],
    { unknown: "its rule was not worked out" },
  ),
  ...each(contrib, { unknown: "optimisers write it after channels are taken out" }),
};
