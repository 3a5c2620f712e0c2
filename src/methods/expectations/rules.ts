/** What is expected behind each operator, from what is expected in front of it. */
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
import { clip, compared, functions, parametric, rectified } from "./activation.ts";
import { between, type Expectation } from "./expectation.ts";
import { layer, normalized } from "./layers.ts";
import {
  averaged,
  averagedOverAll,
  concatenated,
  largest,
  mixed,
  padded,
  part,
  passed,
  reshaped,
  resized,
  sliced,
  transposed,
} from "./movement.ts";
import { added, divided, multiplied, subtracted, summed } from "./pairs.ts";
import { recurrentRange } from "./recurrent.ts";
import type { ExpectationRow, Rule, Step } from "./step.ts";

const of = (rule: Rule): ExpectationRow => ({ rule });
const anyway = (known: (step: Step) => Expectation | undefined): ExpectationRow => ({ anyway: known });

/** A function that stays within bounds whatever it reads. */
const within = (low: number, high: number, rule: Rule): ExpectationRow => ({
  anyway: ({ node, found }) => (found.has(node.input(0)!) ? undefined : between(low, high)),
  rule,
});

/** Numbers that add up to one. */
function shares({ node, shapes }: Step): Expectation {
  const n = shapes.of(node.output)?.at(node.int("axis", -1)) ?? 2;
  return {
    ...between(0, 1),
    mean: Float64Array.of(1 / n),
    centre: Float64Array.of(1 / n),
    variance: Float64Array.of(1 / n ** 2),
    deviation: Float64Array.of(1 / n),
  };
}

export const expectationRows: Table<ExpectationRow> = {
  // Those that a rule is known for follow below.
  ...each(mapping, { unknown: "what it makes of a normal distribution was not worked out" }),
  ...each(combining, { unknown: "it compares, or works on bits" }),
  ...each(reducing, { unknown: "what it makes of distributions that are not independent was not worked out" }),

  ...each(["Conv ConvTranspose Gemm MatMul"], of(layer)),

  Relu: of(rectified),
  Clip: of(clip),
  PRelu: of(parametric),
  Abs: of(functions.Abs),
  Elu: of(functions.Elu),
  Erf: of(functions.Erf),
  Exp: of(functions.Exp),
  Gelu: of(functions.Gelu),
  HardSigmoid: within(0, 1, functions.HardSigmoid),
  HardSwish: of(functions.HardSwish),
  LeakyRelu: of(functions.LeakyRelu),
  Mish: of(functions.Mish),
  Neg: of(functions.Neg),
  Selu: of(functions.Selu),
  Sigmoid: within(0, 1, functions.Sigmoid),
  Softplus: of(functions.Softplus),
  Softsign: of(functions.Softsign),
  Sqrt: of(functions.Sqrt),
  Swish: of(functions.Swish),
  Tanh: within(-1, 1, functions.Tanh),
  ...each(
    ["Cos Sin"],
    anyway(() => between(-1, 1)),
  ),
  Softmax: anyway(shares),

  Add: of(added),
  Sub: of(subtracted),
  Mul: of(multiplied),
  Div: of(divided),
  Sum: of(summed),
  ...each(["Max Min"], of(compared)),

  ...each(
    ["LayerNormalization RMSNormalization SimplifiedLayerNormalization"],
    anyway((step) => normalized(step, (step.shapes.rank(step.node.output) ?? 0) - 1)),
  ),
  InstanceNormalization: anyway((step) => normalized(step, 1)),
  BatchNormalization: { unknown: "its own statistics say it, and no input" },
  ...each(
    ["GRU LSTM RNN"],
    anyway(({ node, index, shapes, found }) => recurrentRange(node, index, shapes, found)),
  ),

  AveragePool: of(averaged),
  ...each(["GlobalAveragePool ReduceMean"], of(averagedOverAll)),
  ...each(["GlobalMaxPool MaxPool"], of(largest)),
  ...each(["Cast Dropout Identity"], of(passed)),
  ...each(["Resize Upsample"], of(resized)),
  Concat: of(concatenated),
  Pad: of(padded),
  Transpose: of(transposed),
  ...each(["Flatten Reshape Squeeze Unsqueeze"], of(reshaped)),
  Split: of(part),
  Slice: of(sliced),

  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(random, { unknown: "an attribute says it; no model asked for it yet" }),
  // Everything else that moves data may mix channels.
  ...each(
    [
      "CenterCropPad Compress DepthToSpace Expand Gather GatherElements GatherND MaxRoiPool MaxUnpool ReduceMax ReduceMin",
      "ReverseSequence SequenceAt SpaceToDepth SplitToSequence Tile TopK Trilu Unique",
    ],
    of(mixed),
  ),
  ...each(["ArgMax ArgMin NonMaxSuppression NonZero Shape Size"], { unknown: "it returns places or lengths" }),
  ...each(quantizing, {
    unknown: "ranges are chosen before it is written",
  }),
  ...each(making, {
    unknown: "it reads nothing that varies, or makes numbers of its own",
  }),
  ...each(losses, { unknown: "files that are run have no losses" }),
  ...each(
    [
      "AffineGrid Attention CastLike Col2Im CumProd CumSum DFT DeformConv Det Einsum GlobalLpPool GridSample GroupNormalization Hardmax",
      "ImageDecoder LRN LogSoftmax LpNormalization LpPool MeanVarianceNormalization RoiAlign RotaryEmbedding STFT Scatter",
      "ScatterElements ScatterND TensorScatter",
    ],
    { unknown: "its rule was not worked out" },
  ),
  ...each(contrib, { unknown: "optimisers write it after the ranges are decided" }),
};
