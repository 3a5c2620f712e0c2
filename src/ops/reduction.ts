/** Pooling, reductions, and operators that work along an axis. */
import type { Semantics } from "./row.ts";

const moves: Semantics = { movesData: true };

export const pooling = {
  AveragePool: {},
  GlobalAveragePool: {},
  GlobalLpPool: {},
  GlobalMaxPool: moves,
  LpPool: {},
  MaxPool: moves,
  MaxRoiPool: moves,
  MaxUnpool: moves,
  RoiAlign: {},
} satisfies Record<string, Semantics>;

export const reductions = {
  ArgMax: {},
  ArgMin: {},
  ReduceL1: {},
  ReduceL2: {},
  ReduceLogSum: {},
  ReduceLogSumExp: {},
  ReduceMax: moves,
  ReduceMean: {},
  ReduceMin: moves,
  ReduceProd: {},
  ReduceSum: {},
  ReduceSumSquare: {},
} satisfies Record<string, Semantics>;

export const alongAxis = {
  CumProd: {},
  CumSum: {},
  Hardmax: {},
  LogSoftmax: {},
  Softmax: {},
} satisfies Record<string, Semantics>;

export const losses = {
  NegativeLogLikelihoodLoss: {},
  SoftmaxCrossEntropyLoss: {},
} satisfies Record<string, Semantics>;
