/**
 * The two factors of a layer of low rank, and what each rank loses.
 *
 * With W̃ [(o, q), p] the weight between the two parts (`form.ts`), the first layer gets the rows V [rank, p] that span best what W̃
 * does, the second the weights B that are best for it:
 *
 *   plain       V, B from the singular value decomposition of W̃, Σ^½ on both sides: AIMET's form. It takes inputs for white noise.
 *   on moments  V = U_rᵀ·D·W̃ with U the eigenvectors of D·W̃·H_v·W̃ᵀ·D, the covariance of what the outputs are made of, where H_v
 *               is the mean of the moments over the second part's positions, and D weighs outputs by what they do to the model's.
 *               B = W·H·Tᵀ·(T·H·Tᵀ)⁻¹, T = V ⊗ I: least squares, whatever V is.
 *
 * Where the first part takes the whole kernel there is one position, and the loss at rank r is the sum of the eigenvalues behind the
 * r-th: the optimum in closed form. Otherwise rows of V are tried in their order, and one Cholesky factor of T·H·Tᵀ knows the
 * loss at every rank: its leading blocks are the factors of smaller ranks.
 */

import { factorOf, forwardRows, solveRows } from "../dense/solve.ts";
import { symmetricEigen } from "../dense/symmetric-eigen.ts";
import { columnsOf, type LowRankForm } from "./form.ts";

export interface Factors {
  /** [rank, inputs · first]. */
  readonly first: Float64Array;
  /** [outputs, rank · second]. */
  readonly second: Float64Array;
}

export interface LowRankSolution {
  /** The expected squared error of the (weighted) outputs at rank 1, 2 … `loss.length`. */
  readonly loss: Float64Array;
  /** What the outputs themselves are in that measure: the loss at rank 0. */
  readonly all: number;
  factors(rank: number): Factors;
}

export interface OnMoments {
  /** [columns, columns]: second moments of the input's patches, centred and damped. */
  readonly h: Float64Array;
  /** [outputs]: how much the squared error of each output counts. */
  readonly importance: Float64Array;
}

/** Solutions for every rank up to `most`; `weight` is [outputs, columns]. */
export function lowRank(
  form: LowRankForm,
  weight: Float64Array,
  moments: OnMoments | null,
  most = form.maxRank,
): LowRankSolution {
  return moments ? onMoments(form, weight, moments, most) : plain(form, weight, most);
}

/** What the two layers compute together: the weight [outputs, columns] of a layer that does the same. */
export function composedWeight(form: LowRankForm, { first, second }: Factors, rank: number): Float64Array {
  const { at } = columnsOf(form);
  const [width, positions] = [form.inputs * form.first, form.second];
  const columns = width * positions;
  const weight = new Float64Array(form.outputs * columns);
  for (let o = 0; o < form.outputs; o++)
    for (let k = 0; k < rank; k++)
      for (let q = 0; q < positions; q++) {
        const factor = second[(o * rank + k) * positions + q]!;
        for (let p = 0; p < width; p++) weight[o * columns + at[p * positions + q]!]! += factor * first[k * width + p]!;
      }
  return weight;
}

/** W̃ [(o, q), p]. */
function between({ inputs, outputs, first, second }: LowRankForm, weight: Float64Array, at: Int32Array): Float64Array {
  const columns = inputs * first * second;
  const width = inputs * first;
  const result = new Float64Array(outputs * columns);
  for (let o = 0; o < outputs; o++)
    for (let q = 0; q < second; q++)
      for (let p = 0; p < width; p++) result[(o * second + q) * width + p] = weight[o * columns + at[p * second + q]!]!;
  return result;
}

function plain(form: LowRankForm, weight: Float64Array, most: number): LowRankSolution {
  const { inputs, outputs, first, second } = form;
  const [rows, width] = [outputs * second, inputs * first];
  const matrix = between(form, weight, columnsOf(form).at);
  const tall = rows > width;
  const { values, vectors } = tall
    ? symmetricEigen(gram(transposed(matrix, rows, width), width, rows), width)
    : symmetricEigen(gram(matrix, rows, width), rows);
  const { loss, all } = tails(values, most);
  return {
    loss,
    all,
    factors(rank) {
      // One side is orthonormal; the other is the projection on it.
      const known = vectors.subarray(0, rank * (tall ? width : rows));
      const other = tall
        ? timesTransposed(matrix, rows, known, rank, width)
        : product(known, rank, rows, matrix, width);
      const left = tall ? other : transposed(known, rank, rows);
      return balanced(form, rank, tall ? known.slice() : other, left);
    },
  };
}

function onMoments(
  form: LowRankForm,
  weight: Float64Array,
  { h, importance }: OnMoments,
  most: number,
): LowRankSolution {
  const { inputs, outputs, first, second } = form;
  const [rows, width, columns] = [outputs * second, inputs * first, inputs * first * second];
  const { at } = columnsOf(form);
  const scale = importance.map(Math.sqrt);
  const weighed = weight.map((w, i) => w * scale[Math.floor(i / columns)]!);
  const matrix = between(form, weighed, at);
  const v = firstRows(matrix, rows, width, meanMoments(h, at, width, second), most);
  // T·H, rows in the order (rank, q).
  const th = new Float64Array(most * second * columns);
  for (let k = 0; k < most; k++) {
    for (let q = 0; q < second; q++) {
      const row = (k * second + q) * columns;
      for (let p = 0; p < width; p++) {
        const factor = v[k * width + p]!;
        if (factor === 0) continue;
        const from = at[p * second + q]! * columns;
        for (let j = 0; j < columns; j++) th[row + j]! += factor * h[from + j]!;
      }
    }
  }
  const size = most * second;
  const inner = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k <= Math.floor(i / second); k++) {
      for (let q = 0; q < second; q++) {
        let sum = 0;
        for (let p = 0; p < width; p++) sum += th[i * columns + at[p * second + q]!]! * v[k * width + p]!;
        inner[i * size + k * second + q] = sum;
        inner[(k * second + q) * size + i] = sum;
      }
    }
  }
  const cross = timesTransposed(weighed, outputs, th, size, columns);
  const lower = factorOf(inner, size);
  const explained = forwardRows(lower, size, cross);
  const wh = product(weighed, outputs, columns, h, columns);
  let all = 0;
  for (let i = 0; i < wh.length; i++) all += wh[i]! * weighed[i]!;
  const loss = new Float64Array(most);
  let left = all;
  for (let k = 0; k < most; k++) {
    for (let i = k * second; i < (k + 1) * second; i++)
      for (let o = 0; o < outputs; o++) left -= explained[o * size + i]! ** 2;
    loss[k] = Math.max(left, 0);
  }
  return {
    loss,
    all,
    factors(rank) {
      const n = rank * second;
      const part = leading(cross, outputs, size, n);
      const found = solveRows(leading(lower, n, size, n), n, part);
      for (let i = 0; i < found.length; i++) found[i]! /= scale[Math.floor(i / n)]!;
      const left = new Float64Array(found.length);
      // [outputs, (rank, q)] → [(outputs, q), rank], in which both forms are balanced.
      for (let o = 0; o < outputs; o++)
        for (let k = 0; k < rank; k++)
          for (let q = 0; q < second; q++) left[(o * second + q) * rank + k] = found[o * n + k * second + q]!;
      return balanced(form, rank, v.slice(0, rank * width), left);
    },
  };
}

/** H_v [p, p]: the mean over the positions of the second part. */
function meanMoments(h: Float64Array, at: Int32Array, width: number, second: number): Float64Array {
  const columns = width * second;
  const mean = new Float64Array(width * width);
  for (let a = 0; a < width; a++)
    for (let b = 0; b < width; b++)
      for (let q = 0; q < second; q++)
        mean[a * width + b]! += h[at[a * second + q]! * columns + at[b * second + q]!]! / second;
  return mean;
}

/** The rows of the first layer, the most important first, from the smaller of the two eigenproblems. */
function firstRows(matrix: Float64Array, rows: number, width: number, mean: Float64Array, most: number): Float64Array {
  if (rows <= width) {
    const covered = product(matrix, rows, width, mean, width);
    const { vectors } = symmetricEigen(timesTransposed(covered, rows, matrix, rows, width), rows);
    return product(vectors.subarray(0, most * rows), most, rows, matrix, width);
  }
  // With H_v = L·Lᵀ: right singular vectors Q of W̃·L, and V = Qᵀ·Lᵀ·W̃ᵀ·W̃, the same row space without an inverse.
  const lower = factorOf(mean, width);
  const own = gram(transposed(matrix, rows, width), width, rows);
  const half = product(transposed(lower, width, width), width, width, own, width);
  const { vectors, values } = symmetricEigen(product(half, width, width, lower, width), width);
  const v = product(vectors.subarray(0, most * width), most, width, half, width);
  for (let k = 0; k < most; k++) {
    const size = Math.max(values[k]!, 1e-12 * values[0]!, Number.MIN_VALUE);
    for (let p = 0; p < width; p++) v[k * width + p]! /= Math.sqrt(size);
  }
  return v;
}

/** Both sides of each rank equally large, as Σ^½ makes them: grids of few bits suit both. `left` is [(outputs, q), rank]. */
function balanced(
  { inputs, outputs, first, second }: LowRankForm,
  rank: number,
  v: Float64Array,
  left: Float64Array,
): Factors {
  const width = inputs * first;
  const b = new Float64Array(outputs * rank * second);
  for (let k = 0; k < rank; k++) {
    let [own, other] = [0, 0];
    for (let p = 0; p < width; p++) own += v[k * width + p]! ** 2;
    for (let i = k; i < left.length; i += rank) other += left[i]! ** 2;
    const factor = own > 0 && other > 0 ? (other / own) ** 0.25 : 1;
    for (let p = 0; p < width; p++) v[k * width + p]! *= factor;
    for (let o = 0; o < outputs; o++)
      for (let q = 0; q < second; q++) b[(o * rank + k) * second + q] = left[(o * second + q) * rank + k]! / factor;
  }
  return { first: v, second: b };
}

function tails(values: Float64Array, most: number): { loss: Float64Array; all: number } {
  const loss = new Float64Array(most);
  let sum = 0;
  for (let k = values.length - 1; k >= 0; k--) {
    if (k < most) loss[k] = sum;
    sum += Math.max(values[k]!, 0);
  }
  return { loss, all: sum };
}

/** A·Aᵀ for A [n, width]. */
const gram = (a: Float64Array, n: number, width: number) => timesTransposed(a, n, a, n, width);

/** A·Bᵀ for A [n, width], B [m, width]. */
function timesTransposed(a: Float64Array, n: number, b: Float64Array, m: number, width: number): Float64Array {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += a[i * width + k]! * b[j * width + k]!;
      result[i * m + j] = sum;
    }
  }
  return result;
}

/** A·B for A [n, inner], B [inner, width]. */
function product(a: Float64Array, n: number, inner: number, b: Float64Array, width: number): Float64Array {
  const result = new Float64Array(n * width);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < width; j++) result[i * width + j]! += factor * b[k * width + j]!;
    }
  }
  return result;
}

function transposed(a: Float64Array, rows: number, width: number): Float64Array {
  const result = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) result[j * rows + i] = a[i * width + j]!;
  return result;
}

/** The first `n` columns of the first rows. */
function leading(a: Float64Array, rows: number, width: number, n: number): Float64Array {
  const result = new Float64Array(rows * n);
  for (let i = 0; i < rows; i++) result.set(a.subarray(i * width, i * width + n), i * n);
  return result;
}
