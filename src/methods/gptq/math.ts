/**
 * GPTQ (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022): columns
 * are rounded one after the other, and the error of each is spread over those not yet rounded by the inverse of H.
 * Inputs of a quantized prefix move the target: dᵀHd + 2dᵀt = (d + H⁻¹t)ᵀH(d + H⁻¹t) + const, so W − T H⁻¹ is rounded.
 */

export interface GptqProblem {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns], row-major, as are scale, low, high and t. */
  readonly weight: Float64Array;
  readonly scale: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly t: Float64Array;
  /** [columns, columns], symmetric, positive semidefinite. */
  readonly h: Float64Array;
}

export interface ColumnOptions {
  /** Share of the mean diagonal of H that is added to it. Default 0.01, the paper's. */
  readonly damping?: number;
  /** Whether columns of large second moment are rounded first ("act-order"). Default true. */
  readonly activationOrder?: boolean;
}

/** The integers, [rows, columns]. */
export function gptq(problem: GptqProblem, round: (x: number) => number, options: ColumnOptions = {}): Float64Array {
  const { damping = 0.01, activationOrder = true } = options;
  const { rows, columns, weight, scale, low, high, t, h } = problem;
  const order = Int32Array.from({ length: columns }, (_, i) => i);
  const diagonal = (j: number) => h[j * columns + j]!;
  if (activationOrder) order.sort((a, b) => diagonal(b) - diagonal(a) || a - b);
  const upper = dampedFactor(h, order, damping);
  const integers = new Float64Array(rows * columns);
  const w = new Float64Array(columns);
  const shift = new Float64Array(columns);
  // Without a quantized prefix T is zero, and nothing moves.
  const moves = t.some((value) => value !== 0);
  for (let row = 0; row < rows; row++) {
    const at = row * columns;
    for (let i = 0; i < columns; i++) w[i] = weight[at + order[i]!]!;
    if (moves) shiftBy(w, shift, (i) => t[at + order[i]!]!, upper);
    for (let i = 0; i < columns; i++) {
      const place = at + order[i]!;
      const s = scale[place]!;
      const q = s === 0 ? 0 : Math.min(high[place]!, Math.max(low[place]!, round(w[i]! / s)));
      integers[place] = q;
      const error = (w[i]! - s * q) / upper[i * columns + i]!;
      for (let j = i + 1; j < columns; j++) w[j]! -= error * upper[i * columns + j]!;
    }
  }
  return integers;
}

/** w ← w − t A⁻¹ = w − (t Uᵀ) U. `shift` is room for as many numbers. */
function shiftBy(w: Float64Array, shift: Float64Array, t: (i: number) => number, upper: Float64Array): void {
  const n = w.length;
  for (let i = 0; i < n; i++) shift[i] = t(i);
  for (let k = 0; k < n; k++) {
    let sum = 0;
    for (let i = k; i < n; i++) sum += upper[k * n + i]! * shift[i]!;
    // Rows further down do not read what lies before their diagonal.
    shift[k] = sum;
  }
  for (let k = 0; k < n; k++) {
    const own = shift[k]!;
    for (let i = k; i < n; i++) w[i]! -= own * upper[k * n + i]!;
  }
}

/**
 * The upper triangular U with H⁻¹ = Uᵀ·U, H in this order and damped until it is positive definite: where inputs hardly vary, H is what
 * rounding left of a difference of two large numbers, and may be anything. From behind H = L·Lᵀ; turned around, L⁻¹ is U: row j holds how the
 * error of column j is passed on.
 */
function dampedFactor(h: Float64Array, order: Int32Array, damping: number): Float64Array {
  const n = order.length;
  const fromBehind = order.slice().reverse();
  for (let share = damping; ; share = Math.max(10 * share, 1e-3)) {
    const damped = permuted(h, fromBehind, share);
    const lower = choleskyLower(damped, n);
    // A pivot that is a tiny part of its diagonal is what rounding left.
    const positive = order.every((_, i) => lower[i * n + i]! ** 2 > 1e-12 * damped[i * n + i]!);
    if (positive || share > 1e12) return invertLower(lower, n).reverse();
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

/** Lower triangular L with A = L·Lᵀ, for a positive definite A [n, n]. */
export function choleskyLower(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / l[j * n + j]!;
    }
  }
  return l;
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
