/**
 * What every method that rounds a weight against its moments solves: find integers q with Ŵ = s·(q + o) that minimise,
 * over the rows of D = Ŵ − W,  dᵀH d + 2 dᵀt  with  T = W Rᵀ  (see quant/observe/moments.ts). Rows are independent.
 */
import { type MatrixLayer, matrixOf } from "../../facts/inner.ts";
import { type Encoding, endsOf, forEachRun, type Moments } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

export interface RoundingProblem {
  readonly groups: number;
  /** Output channels of one group. */
  readonly outputs: number;
  readonly columns: number;
  /** W, [groups · outputs, columns]. */
  readonly weight: Float64Array;
  /** Scale of every element. */
  readonly scale: Float64Array;
  /** Lowest and highest integer of Ŵ / s. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** H per group, [groups, columns, columns]. */
  readonly h: Float64Array;
  /** T = W Rᵀ, [groups · outputs, columns]. */
  readonly t: Float64Array;
}

/** The problem of one layer under an encoding of its weight. */
export function roundingProblem(
  layer: MatrixLayer,
  weight: Float32Array,
  encoding: Encoding,
  moments: Moments,
): RoundingProblem {
  const { groups, outputs, columns } = layer.matrix;
  const [scale, low, high] = spread(layer, encoding);
  return {
    groups,
    outputs,
    columns,
    weight: Float64Array.from(weight),
    scale,
    low,
    high,
    h: moments.h,
    t: crossTerm(layer, weight, moments.r),
  };
}

/** The same problem under another encoding: only the grid changes. */
export function withEncoding(problem: RoundingProblem, layer: MatrixLayer, encoding: Encoding): RoundingProblem {
  const [scale, low, high] = spread(layer, encoding);
  return { ...problem, scale, low, high };
}

/** T[o, j] = Σ_k W[o, k] R[j, k], group by group. */
function crossTerm(
  { matrix: { groups, outputs, columns } }: MatrixLayer,
  weight: Float32Array,
  r: Float64Array,
): Float64Array {
  const t = new Float64Array(groups * outputs * columns);
  // Without a quantized prefix R is zero, and there is nothing to multiply.
  if (r.every((value) => value === 0)) return t;
  for (let row = 0; row < groups * outputs; row++) {
    const base = Math.floor(row / outputs) * columns * columns;
    const own = weight.subarray(row * columns, (row + 1) * columns);
    for (let j = 0; j < columns; j++) {
      const at = base + j * columns;
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += own[k]! * r[at + k]!;
      t[row * columns + j] = sum;
    }
  }
  return t;
}

/** Scale, lowest and highest integer of each element of the matrix. */
function spread(layer: MatrixLayer, encoding: Encoding): [Float64Array, Float64Array, Float64Array] {
  const { shape } = layer.weight.tensor;
  const size = layer.matrix.order.length;
  const slices = new Int32Array(size);
  forEachRun(shape, encoding.granularity, (slice, start, end) => {
    slices.fill(slice, start, end);
  });
  const ends = encoding.scale.map((_, slice) => endsOf(encoding, slice));
  const of = (each: readonly number[]) => {
    const spread = new Float64Array(size);
    const { order } = layer.matrix;
    for (let i = 0; i < size; i++) spread[i] = each[slices[order[i]!]!]!;
    return spread;
  };
  return [of(encoding.scale.map(Math.fround)), of(ends.map(({ low }) => low)), of(ends.map(({ high }) => high))];
}

/** Nearest rounding: the integers of Ŵ / s, ties to even as QuantizeLinear does. */
export function nearest({ weight, scale, low, high }: RoundingProblem, round: (x: number) => number): Float64Array {
  return weight.map((w, i) => Math.min(high[i]!, Math.max(low[i]!, round(w / scale[i]!))));
}

/** The objective of every row, without the constant. */
export function objective(problem: RoundingProblem, integers: Float64Array): Float64Array {
  const { groups, outputs, columns, weight, scale, h, t } = problem;
  const rows = new Float64Array(groups * outputs);
  const d = new Float64Array(columns);
  for (let row = 0; row < rows.length; row++) {
    const at = row * columns;
    const base = Math.floor(row / outputs) * columns * columns;
    for (let j = 0; j < columns; j++) d[j] = scale[at + j]! * integers[at + j]! - weight[at + j]!;
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const own = d[j]!;
      if (own === 0) continue;
      let product = 0;
      for (let k = 0; k < columns; k++) product += h[base + j * columns + k]! * d[k]!;
      sum += own * (product + 2 * t[at + j]!);
    }
    rows[row] = sum;
  }
  return rows;
}

/** Ŵ as a tensor of the weight's shape. */
export function dequantized(problem: RoundingProblem, layer: MatrixLayer, integers: Float64Array): Tensor {
  const { scale } = problem;
  const data = new Float32Array(integers.length);
  layer.matrix.order.forEach((place, i) => {
    data[place] = Math.fround(Math.fround(scale[i]!) * integers[i]!);
  });
  return Tensor.float32(layer.weight.tensor.shape, data);
}

/** W of a layer as float64, for callers that only have the tensor. */
export function weightMatrix(layer: MatrixLayer): Float32Array {
  return matrixOf(layer.matrix, layer.weight.tensor);
}
