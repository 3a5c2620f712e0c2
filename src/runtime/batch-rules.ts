/**
 * Which operators treat the samples on the first axis apart from each other, so that a batch of N equals N batches of
 * one. A rule answers yes only when that is certain; what has no rule is refused.
 */
import {
  bodies,
  combining,
  containers,
  contrib,
  defaultOf,
  each,
  mapping,
  random,
  rowIn,
  type Table,
  texts,
} from "../facts/inner.ts";
import type { Node, TensorType, Value } from "../ir/inner.ts";

export interface BatchFacts {
  /** Types of a run with one sample. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** Values that hold the samples on their first axis; all others are constants. */
  readonly batched: ReadonlySet<Value>;
}

type Rule = (node: Node, facts: BatchFacts) => boolean;

/** Whether the node keeps samples apart and on the first axis, given that its batched inputs have them there. */
export function keepsSamplesApart(node: Node, facts: BatchFacts): boolean {
  if (node.domain !== "" || [...node.subgraphs()].length > 0) return false;
  if (!rowIn(rules, node)?.(node, facts)) return false;
  return node.outputs.every((value) => value.name === "" || facts.types.get(value.name)?.shape?.[0] === 1);
}

/** The numbers that an input holds in every run that is not fed others. */
const constantNumbers = (value: Value | null) => defaultOf(value)?.numbers();

const rankOf = (value: Value | null, facts: BatchFacts) => facts.types.get(value?.name ?? "")?.shape?.length;
const isBatched = (value: Value | null, facts: BatchFacts) => value !== null && facts.batched.has(value);

/** The first input has the samples, the others are parameters. */
const onlyFirst: Rule = (node, facts) =>
  isBatched(node.input(0), facts) && !node.inputs.slice(1).some((input) => isBatched(input, facts));

/** Every batched input reaches up to the first axis of the output; constants do not vary along it. */
const broadcasts: Rule = (node, facts) => {
  const rank = rankOf(node.output, facts);
  return node.inputs.every((input) => {
    if (!input) return true;
    const shape = facts.types.get(input.name)?.shape;
    if (!shape || rank === undefined) return false;
    return isBatched(input, facts) ? shape.length === rank : shape.length < rank || shape[0] === 1;
  });
};

/** An axis that is given must not be the first. */
const otherAxis =
  (fallback: number): Rule =>
  (node, facts) => {
    const rank = rankOf(node.input(0), facts);
    const axis = node.int("axis", fallback);
    return onlyFirst(node, facts) && rank !== undefined && (axis < 0 ? axis + rank : axis) > 0;
  };

/** A list of axes, as attribute or as input `index`, that must be there and must not name the first. */
const otherAxes =
  (index: number, rankFrom: (node: Node) => Value | null = (node) => node.input(0)): Rule =>
  (node, facts) => {
    const axes = node.ints("axes") ?? constantNumbers(node.input(index));
    const rank = rankOf(rankFrom(node), facts);
    if (!axes || axes.length === 0 || rank === undefined) return false;
    return onlyFirst(node, facts) && axes.every((axis) => (axis < 0 ? axis + rank : axis) > 0);
  };

/** A list of numbers per axis, as attribute or as input, whose entry for the first axis leaves it alone. */
const firstEntry =
  (attribute: string, index: number, neutral: number, both = false): Rule =>
  (node, facts) => {
    const list = node.ints(attribute) ?? constantNumbers(node.input(index));
    // Axes would say which entries the list has; without them it has one for each.
    if (!list || list.length === 0 || node.ints("axes") || node.input(index + 2)) return false;
    const isNeutral = list[0] === neutral && (!both || list[list.length / 2] === neutral);
    return onlyFirst(node, facts) && isNeutral;
  };

const reduces = otherAxes(1);

const rules: Table<Rule> = {
  ...each(mapping, broadcasts),
  ...each(combining, broadcasts),
  ...each(["CastLike Clip PRelu"], broadcasts),
  Conv: onlyFirst,
  ConvTranspose: onlyFirst,
  MaxPool: onlyFirst,
  AveragePool: onlyFirst,
  LpPool: onlyFirst,
  GlobalMaxPool: onlyFirst,
  GlobalAveragePool: onlyFirst,
  GlobalLpPool: onlyFirst,
  BatchNormalization: (node, facts) => onlyFirst(node, facts) && node.int("training_mode", 0) === 0,
  InstanceNormalization: onlyFirst,
  GroupNormalization: onlyFirst,
  LayerNormalization: otherAxis(-1),
  RMSNormalization: otherAxis(-1),
  LRN: onlyFirst,
  DepthToSpace: onlyFirst,
  SpaceToDepth: onlyFirst,
  Dropout: onlyFirst,
  QuantizeLinear: (node, facts) =>
    onlyFirst(node, facts) && (rankOf(node.input(1), facts) === 0 || otherAxis(1)(node, facts)),
  DequantizeLinear: (node, facts) =>
    onlyFirst(node, facts) && (rankOf(node.input(1), facts) === 0 || otherAxis(1)(node, facts)),
  Softmax: otherAxis(-1),
  LogSoftmax: otherAxis(-1),
  Hardmax: otherAxis(-1),
  ArgMax: otherAxis(0),
  ArgMin: otherAxis(0),
  TopK: otherAxis(-1),
  CumSum: (node, facts) => onlyFirst(node, facts) && (constantNumbers(node.input(1))?.[0] ?? 0) > 0,
  Split: otherAxis(0),
  Concat: (node, facts) => {
    const rank = rankOf(node.output, facts);
    const axis = node.int("axis", 0);
    const all = node.inputs.every((input) => isBatched(input, facts));
    return all && rank !== undefined && (axis < 0 ? axis + rank : axis) > 0;
  },
  Flatten: (node, facts) => onlyFirst(node, facts) && node.int("axis", 1) === 1,
  Transpose: (node, facts) => onlyFirst(node, facts) && node.ints("perm")?.[0] === 0,
  Reshape: (node, facts) => {
    const shape = constantNumbers(node.input(1));
    return onlyFirst(node, facts) && shape !== undefined;
  },
  Squeeze: otherAxes(1),
  Unsqueeze: otherAxes(1, (node) => node.output),
  Slice: otherAxes(3),
  Pad: firstEntry("pads", 1, 0, true),
  Tile: firstEntry("repeats", 1, 1),
  Expand: (node, facts) =>
    firstEntry("", 1, 1)(node, facts) && rankOf(node.input(0), facts) === rankOf(node.output, facts),
  Upsample: firstEntry("", 1, 1),
  Resize: (node, facts) => {
    const isFirstKept = constantNumbers(node.input(2))?.[0] === 1 || constantNumbers(node.input(3))?.[0] === 1;
    return onlyFirst(node, facts) && node.ints("axes") === undefined && isFirstKept;
  },
  Gather: (node, facts) => {
    // Rows of a table by the samples' indices, or the same positions of every sample.
    if (!isBatched(node.input(0), facts)) return node.int("axis", 0) === 0;
    return otherAxis(0)(node, facts);
  },
  Gemm: (node, facts) => {
    const bias = facts.types.get(node.input(2)?.name ?? "")?.shape;
    return onlyFirst(node, facts) && node.int("transA", 0) === 0 && (!bias || bias.length < 2 || bias[0] === 1);
  },
  MatMul: (node, facts) => {
    const [a, b] = [rankOf(node.input(0), facts), rankOf(node.input(1), facts)];
    if (a === undefined || b === undefined) return false;
    if (!isBatched(node.input(1), facts)) return a >= 2 && b <= 2;
    if (!isBatched(node.input(0), facts)) return b >= 3 && a === 2;
    return a === b && a >= 3;
  },
  ReduceMax: reduces,
  ReduceMin: reduces,
  ReduceMean: reduces,
  ReduceSum: reduces,
  ReduceProd: reduces,
  ReduceL1: reduces,
  ReduceL2: reduces,
  ReduceLogSum: reduces,
  ReduceLogSumExp: reduces,
  ReduceSumSquare: reduces,
  ...each(containers, { unknown: "samples in sequences have no axis" }),
  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(texts, { unknown: "text is in no batch that is freed" }),
  ...each(random, { unknown: "what it draws depends on how much it draws" }),
  ...each(
    [
      "AffineGrid Attention BlackmanWindow CenterCropPad Col2Im Compress Constant ConstantOfShape ConvInteger CumProd",
      "DFT DeformConv Det DynamicQuantizeLinear Einsum EyeLike GRU GatherElements GatherND GridSample HammingWindow",
      "HannWindow Identity ImageDecoder LSTM LpNormalization MatMulInteger MaxRoiPool MaxUnpool",
      "MeanVarianceNormalization MelWeightMatrix NegativeLogLikelihoodLoss NonMaxSuppression NonZero OneHot QLinearConv",
      "QLinearMatMul RNN Range ReverseSequence RoiAlign RotaryEmbedding STFT Scatter ScatterElements ScatterND Shape",
      "SimplifiedLayerNormalization Size SoftmaxCrossEntropyLoss TensorScatter Trilu Unique",
    ],
    { unknown: "nobody has shown that it keeps samples apart" },
  ),
  ...each(contrib, { unknown: "files of optimisers are not freed" }),
};
