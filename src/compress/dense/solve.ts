/** Systems with one symmetric positive definite matrix, and what a layer's weights become by least squares on moments. */
import { choleskyLower } from "../../methods/inner.ts";

/** X = B·A⁻¹ for B [rows, n], row by row, from the Cholesky factor of A. */
export function solveRows(lower: Float64Array, n: number, b: Float64Array): Float64Array {
  const x = forwardRows(lower, n, b);
  for (let at = 0; at < x.length; at += n) {
    for (let i = n - 1; i >= 0; i--) {
      const own = x[at + i]! / lower[i * n + i]!;
      x[at + i] = own;
      for (let j = 0; j < i; j++) x[at + j]! -= own * lower[i * n + j]!;
    }
  }
  return x;
}

/** Y = B·L⁻ᵀ: each row y solves L·y = b. */
export function forwardRows(lower: Float64Array, n: number, b: Float64Array): Float64Array {
  const y = b.slice();
  for (let at = 0; at < y.length; at += n) {
    for (let i = 0; i < n; i++) {
      let sum = y[at + i]!;
      const row = i * n;
      for (let j = 0; j < i; j++) sum -= lower[row + j]! * y[at + j]!;
      y[at + i] = sum / lower[row + i]!;
    }
  }
  return y;
}

/** H with this share of its mean diagonal added to the diagonal: positive definite where inputs hardly vary. */
export function damped(h: Float64Array, n: number, share: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += Math.max(h[i * n + i]!, 0);
  const added = Math.max((share * trace) / n, 1e-12);
  const result = h.slice();
  for (let i = 0; i < n; i++) result[i * n + i] = Math.max(result[i * n + i]!, 0) + added;
  return result;
}

/** The factor of a matrix that is positive definite but for rounding: what is added to its diagonal grows until it is. */
export function factorOf(h: Float64Array, n: number): Float64Array {
  for (let share = 0; ; share = Math.max(10 * share, 1e-10)) {
    const matrix = share === 0 ? h : damped(h, n, share);
    const lower = choleskyLower(matrix, n);
    let sound = true;
    for (let i = 0; i < n && sound; i++) sound = lower[i * n + i]! ** 2 > 1e-13 * matrix[i * n + i]!;
    if (sound || share > 1) return lower;
  }
}

/**
 * The weight that computes best from x̂ what W computes from x: W* = W·(I − Rᵀ·(H + λ)⁻¹), [rows, n] each, with H = E[x̂x̂ᵀ] (damped
 * already) and R = E[x̂(x̂ − x)ᵀ]. The larger λ, the nearer W* stays to W.
 */
export function refitted(weight: Float64Array, h: Float64Array, r: Float64Array, n: number): Float64Array {
  if (r.every((x) => x === 0)) return weight;
  // W·Rᵀ: row o, column j is the sum of w_oi·r_ji.
  const shift = new Float64Array(weight.length);
  for (let at = 0; at < weight.length; at += n) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += weight[at + i]! * r[j * n + i]!;
      shift[at + j] = sum;
    }
  }
  const step = solveRows(factorOf(h, n), n, shift);
  return weight.map((w, i) => w - step[i]!);
}

/**
 * The same where only some columns of x̂ are read: Q = (W·E[xx̂ᵀ])_P·(H_PP)⁻¹ with E[xx̂ᵀ] = H − Rᵀ, and zeros elsewhere: what stays takes over
 * from what goes.
 */
export function fittedToKept(
  weight: Float64Array,
  h: Float64Array,
  r: Float64Array,
  n: number,
  kept: readonly number[],
): Float64Array {
  const size = kept.length;
  const rows = weight.length / n;
  const cross = new Float64Array(rows * size);
  for (let o = 0; o < rows; o++)
    for (let i = 0; i < n; i++) {
      const own = weight[o * n + i]!;
      if (own === 0) continue;
      for (let j = 0; j < size; j++) cross[o * size + j]! += own * (h[i * n + kept[j]!]! - r[kept[j]! * n + i]!);
    }
  const inner = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) inner[i * size + j] = h[kept[i]! * n + kept[j]!]!;
  const found = solveRows(factorOf(inner, size), size, cross);
  const result = new Float64Array(weight.length);
  for (let o = 0; o < rows; o++) for (let j = 0; j < size; j++) result[o * n + kept[j]!] = found[o * size + j]!;
  return result;
}
