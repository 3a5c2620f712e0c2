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
  const inverse = invertDamped(h, order, damping);
  // A = Uᵀ·U with U upper triangular: row j of U holds how the error of column j is passed on.
  const upper = choleskyUpper(inverse, columns);
  const integers = new Float64Array(rows * columns);
  const w = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const at = row * columns;
    for (let i = 0; i < columns; i++) w[i] = weight[at + order[i]!]!;
    for (let k = 0; k < columns; k++) {
      const shift = t[at + order[k]!]!;
      if (shift === 0) continue;
      for (let i = 0; i < columns; i++) w[i]! -= shift * inverse[k * columns + i]!;
    }
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

/**
 * The inverse of H in this order, damped until it is positive definite: where inputs hardly vary, H is what rounding left of a
 * difference of two large numbers, and may be anything.
 */
function invertDamped(h: Float64Array, order: Int32Array, damping: number): Float64Array {
  const n = order.length;
  for (let share = damping; ; share = Math.max(10 * share, 1e-3)) {
    const damped = permuted(h, order, share);
    const lower = choleskyLower(damped, n);
    // A pivot that is a tiny part of its diagonal is what rounding left.
    const positive = order.every((_, i) => lower[i * n + i]! ** 2 > 1e-12 * damped[i * n + i]!);
    if (positive || share > 1e12) return invert(damped, n, lower);
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

/** A⁻¹ through its Cholesky factor. */
export function invert(a: Float64Array, n: number, l = choleskyLower(a, n)): Float64Array {
  // M = L⁻¹, lower triangular; A⁻¹ = Mᵀ·M.
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    m[i * n + i] = 1 / l[i * n + i]!;
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum += l[i * n + k]! * m[k * n + j]!;
      m[i * n + j] = -sum / l[i * n + i]!;
    }
  }
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

/** Upper triangular U with A = Uᵀ·U. */
export function choleskyUpper(a: Float64Array, n: number): Float64Array {
  const l = choleskyLower(a, n);
  const u = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) u[j * n + i] = l[i * n + j]!;
  return u;
}
