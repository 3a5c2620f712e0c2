/**
 * GPTQ (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022): columns
 * are rounded one after the other, and the error of each is spread over those not yet rounded by the inverse of H.
 * Inputs of a quantized prefix move the target: dᵀHd + 2dᵀt = (d + H⁻¹t)ᵀH(d + H⁻¹t) + const, so W − T H⁻¹ is rounded.
 * Errors reach the columns of later blocks as one product a block (the paper's lazy batches, section 3.3 step 2), and so are H's factors made.
 */

/** A·B for A [m, k] and B [k, n], row-major. */
export type Multiply = (
  a: Float64Array,
  b: Float64Array,
  size: readonly [m: number, k: number, n: number],
) => Promise<Float64Array>;

export interface GptqProblem {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns], row-major, as are scale, low, high and t. */
  readonly weight: Float64Array;
  readonly scale: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly t: Float64Array;
}

export interface ColumnOptions {
  /** Share of the mean diagonal of H that is added to it. Default 0.01, the paper's. */
  readonly damping?: number;
  /** Whether columns of large second moment are rounded first ("act-order"). Default true. */
  readonly activationOrder?: boolean;
}

/** The order of the columns, and in it the upper triangular U, [columns, columns], with H⁻¹ = Uᵀ·U: layers of one H share it. */
export interface InverseFactor {
  readonly order: Int32Array;
  readonly upper: Float64Array;
}

/** Columns between two products: the paper's. */
const lazyBatch = 128;

/** The integers, [rows, columns]. */
export async function gptq(
  problem: GptqProblem,
  { order, upper }: InverseFactor,
  round: (x: number) => number,
  multiply: Multiply,
  block = lazyBatch,
): Promise<Float64Array> {
  const { rows, columns } = problem;
  const w = await target(inOrder(problem.weight, order), inOrder(problem.t, order), upper, rows, multiply);
  const integers = new Float64Array(rows * columns);
  for (let from = 0; from < columns; from += block) {
    const to = Math.min(columns, from + block);
    const own = part(upper, columns, [from, to], [from, to]);
    const errors = roundBlock(problem, order.subarray(from, to), { w, from, own }, round, integers);
    if (to === columns) break;
    const later = part(upper, columns, [from, to], [to, columns]);
    subtract(w, columns, [0, to], await multiply(errors, later, [rows, to - from, columns - to]), columns - to);
  }
  return integers;
}

/** Rounds the columns of one block, and passes their errors on within it; returns the errors, [rows, columns of the block]. */
function roundBlock(
  { rows, columns, scale, low, high }: GptqProblem,
  order: Int32Array,
  block: { readonly w: Float64Array; readonly from: number; readonly own: Float64Array },
  round: (x: number) => number,
  integers: Float64Array,
): Float64Array {
  const { w, from, own } = block;
  const width = order.length;
  const errors = new Float64Array(rows * width);
  const left = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const at = row * columns;
    for (let i = 0; i < width; i++) left[i] = w[at + from + i]!;
    for (let i = 0; i < width; i++) {
      const place = at + order[i]!;
      const s = scale[place]!;
      const q = s === 0 ? 0 : Math.min(high[place]!, Math.max(low[place]!, round(left[i]! / s)));
      integers[place] = q;
      const error = (left[i]! - s * q) / own[i * width + i]!;
      errors[row * width + i] = error;
      for (let j = i + 1; j < width; j++) left[j]! -= error * own[i * width + j]!;
    }
  }
  return errors;
}

/** W − T·H⁻¹ = W − (T·Uᵀ)·U. Without a quantized prefix T is zero, and nothing moves. */
async function target(
  w: Float64Array,
  t: Float64Array,
  upper: Float64Array,
  rows: number,
  multiply: Multiply,
): Promise<Float64Array> {
  if (t.every((value) => value === 0)) return w;
  const n = w.length / rows;
  const half = await multiply(t, transposed(upper, n), [rows, n, n]);
  const shift = await multiply(half, upper, [rows, n, n]);
  return w.map((value, i) => value - shift[i]!);
}

/**
 * The factor of H [n, n], symmetric and positive semidefinite, damped until it is positive definite: where inputs hardly vary, H is what
 * rounding left of a difference of two large numbers, and may be anything. From behind H = L·Lᵀ; turned around, L⁻¹ is U: row j holds how the
 * error of column j is passed on.
 */
export async function inverseFactor(
  h: Float64Array,
  n: number,
  multiply: Multiply,
  options: ColumnOptions = {},
  block = lazyBatch,
): Promise<InverseFactor> {
  const { damping = 0.01, activationOrder = true } = options;
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const diagonal = (j: number) => h[j * n + j]!;
  if (activationOrder) order.sort((a, b) => diagonal(b) - diagonal(a) || a - b);
  const fromBehind = order.slice().reverse();
  for (let share = damping; ; share = Math.max(10 * share, 1e-3)) {
    const damped = permuted(h, fromBehind, share);
    const lower = await choleskyInBlocks(damped, n, multiply, block);
    // A pivot that is a tiny part of its diagonal is what rounding left.
    const positive = order.every((_, i) => lower[i * n + i]! ** 2 > 1e-12 * damped[i * n + i]!);
    if (positive || share > 1e12) return { order, upper: (await invertInBlocks(lower, n, multiply, block)).reverse() };
  }
}

/** H with rows and columns in this order, damped; a column that never carries signal gets a diagonal of 1. */
function permuted(h: Float64Array, order: Int32Array, damping: number): Float64Array {
  const n = order.length;
  const result = new Float64Array(n * n);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += Math.abs(h[i * n + i]!);
  const added = Math.max((damping * trace) / n, 1e-12);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) result[i * n + j] = h[order[i]! * n + order[j]!]!;
    const own = result[i * n + i]!;
    result[i * n + i] = own > 0 ? own + added : 1;
  }
  return result;
}

/** Lower triangular L with A = L·Lᵀ, for a positive definite A [n, n]; what lies above A's diagonal is not read. */
export function choleskyLower(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  choleskyPanel(l, a, n, [0, n]);
  return l;
}

/** The same with a product for what the columns before take from each panel of columns. */
async function choleskyInBlocks(a: Float64Array, n: number, multiply: Multiply, block: number): Promise<Float64Array> {
  const l = new Float64Array(n * n);
  const left = a.slice();
  for (let from = 0; from < n; from += block) {
    const to = Math.min(n, from + block);
    if (from > 0) {
      const before = part(l, n, [from, n], [0, from]);
      const own = part(l, n, [from, to], [0, from]);
      const taken = await multiply(before, transposed(own, from), [n - from, from, to - from]);
      subtract(left, n, [from, from], taken, to - from);
    }
    choleskyPanel(l, left, n, [from, to]);
  }
  return l;
}

/** Columns from..to of L, of an A from which the columns before are subtracted already. */
function choleskyPanel(l: Float64Array, a: Float64Array, n: number, [from, to]: Span): void {
  for (let i = from; i < n; i++) {
    for (let j = from; j <= i && j < to; j++) {
      let sum = a[i * n + j]!;
      for (let k = from; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / l[j * n + j]!;
    }
  }
}

/** L⁻¹ of a lower triangular L, row by row. */
function invertLower(l: Float64Array, n: number): Float64Array {
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const at = i * n;
    for (let k = 0; k < i; k++) {
      const own = l[at + k]!;
      if (own === 0) continue;
      for (let j = 0; j <= k; j++) m[at + j]! -= own * m[k * n + j]!;
    }
    const pivot = l[at + i]!;
    for (let j = 0; j < i; j++) m[at + j]! /= pivot;
    m[at + i] = 1 / pivot;
  }
  return m;
}

/** The same, rows of a block together: with L = [L₁ 0; B L₂], L⁻¹ = [L₁⁻¹ 0; −L₂⁻¹·B·L₁⁻¹ L₂⁻¹]. */
async function invertInBlocks(l: Float64Array, n: number, multiply: Multiply, block: number): Promise<Float64Array> {
  const m = new Float64Array(n * n);
  for (let from = 0; from < n; from += block) {
    const rows: Span = [from, Math.min(n, from + block)];
    const width = rows[1] - from;
    const own = invertLower(part(l, n, rows, rows), width);
    for (let i = 0; i < width; i++) m.set(own.subarray(i * width, (i + 1) * width), (from + i) * n + from);
    if (from === 0) continue;
    const before: Span = [0, from];
    const passed = await multiply(part(l, n, rows, before), part(m, n, before, before), [width, from, from]);
    subtract(m, n, [from, 0], await multiply(own, passed, [width, width, from]), from);
  }
  return m;
}

/** A⁻¹ through its Cholesky factor. */
export function invert(a: Float64Array, n: number, l = choleskyLower(a, n)): Float64Array {
  // With M = L⁻¹, A⁻¹ = Mᵀ·M.
  const m = invertLower(l, n);
  const inverse = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i <= k; i++) {
      const own = m[k * n + i]!;
      if (own === 0) continue;
      for (let j = 0; j <= k; j++) inverse[i * n + j]! += own * m[k * n + j]!;
    }
  }
  return inverse;
}

type Span = readonly [from: number, to: number];

/** Some rows and columns of a matrix whose rows are n long. */
function part(a: Float64Array, n: number, rows: Span, columns: Span): Float64Array {
  const width = columns[1] - columns[0];
  const result = new Float64Array((rows[1] - rows[0]) * width);
  for (let i = 0; i < rows[1] - rows[0]; i++) {
    const at = (rows[0] + i) * n;
    result.set(a.subarray(at + columns[0], at + columns[1]), i * width);
  }
  return result;
}

/** Subtracts B, whose rows are `width` long, from the part of A that begins at this row and column. */
function subtract(
  a: Float64Array,
  n: number,
  [row, column]: readonly [number, number],
  b: Float64Array,
  width: number,
) {
  for (let from = 0, at = row * n + column; from < b.length; from += width, at += n)
    for (let j = 0; j < width; j++) a[at + j]! -= b[from + j]!;
}

/** Aᵀ of an A whose rows are n long. */
function transposed(a: Float64Array, n: number): Float64Array {
  const m = a.length / n;
  const result = new Float64Array(a.length);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) result[j * m + i] = a[i * n + j]!;
  return result;
}

/** The columns of a matrix in this order. */
function inOrder(a: Float64Array, order: Int32Array): Float64Array {
  const n = order.length;
  const result = new Float64Array(a.length);
  for (let at = 0; at < a.length; at += n) for (let i = 0; i < n; i++) result[at + i] = a[at + order[i]!]!;
  return result;
}
