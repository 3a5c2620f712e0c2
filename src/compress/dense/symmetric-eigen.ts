/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to tridiagonal form, then QL with implicit shifts
 * (EISPACK's tred2 and tql2; Golub and Van Loan, "Matrix Computations", 8.3). Compression needs no other decomposition: singular
 * vectors that matter are eigenvectors of a product with its transpose.
 */

export interface Eigen {
  /** From the largest to the smallest. */
  readonly values: Float64Array;
  /** [n, n]: row i is the unit eigenvector of the i-th value. */
  readonly vectors: Float64Array;
}

/** Of a symmetric matrix [n, n]; only its lower triangle is read. About 6·n³ operations. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  // Vectors are kept as rows, so that the innermost loops of both steps run along memory.
  const v = matrix.slice();
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) v[j * n + i] = v[i * n + j]!;
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  const q = tridiagonal(v, n, diagonal, beside);
  implicitQl(q, n, diagonal, beside);
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[b]! - diagonal[a]! || a - b);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    vectors.set(q.subarray(from * n, (from + 1) * n), to * n);
  });
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors };
}

/**
 * A = Qᵀ·T·Q: T's diagonal, and next to it what lies below the diagonal (`beside[i]` couples i − 1 and i). Returns Q, rows first;
 * `a` is overwritten.
 */
function tridiagonal(a: Float64Array, n: number, diagonal: Float64Array, beside: Float64Array): Float64Array {
  const reflectors: (Float64Array | null)[] = new Array(n).fill(null);
  const p = new Float64Array(n);
  for (let k = n - 1; k > 1; k--) {
    // Row k, left of the element next to the diagonal, becomes zero.
    const u = a.slice(k * n, k * n + k);
    const scale = u.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    diagonal[k] = a[k * n + k]!;
    const rest = u.subarray(0, k - 1).some((x) => x !== 0);
    if (scale === 0 || !rest) {
      beside[k] = u[k - 1]!;
      continue;
    }
    let norm = 0;
    for (let i = 0; i < k; i++) {
      u[i]! /= scale;
      norm += u[i]! * u[i]!;
    }
    norm = Math.sqrt(norm);
    const alpha = u[k - 1]! > 0 ? -norm : norm;
    beside[k] = alpha * scale;
    u[k - 1]! -= alpha;
    // H = uᵀu / 2; P = I − uuᵀ / H, A ← PAP.
    let half = 0;
    for (let i = 0; i < k; i++) half += u[i]! * u[i]!;
    half /= 2;
    symmetricProduct(a, n, u, k, p);
    let share = 0;
    for (let i = 0; i < k; i++) {
      p[i]! /= half;
      share += u[i]! * p[i]!;
    }
    share /= 2 * half;
    for (let i = 0; i < k; i++) p[i]! -= share * u[i]!;
    for (let i = 0; i < k; i++) {
      const [x, y] = [u[i]!, p[i]!];
      const row = i * n;
      for (let j = 0; j <= i; j++) a[row + j]! -= x * p[j]! + y * u[j]!;
    }
    const root = Math.sqrt(half);
    for (let i = 0; i < k; i++) u[i]! /= root;
    reflectors[k] = u;
  }
  if (n > 1) {
    beside[1] = a[n]!;
    diagonal[1] = a[n + 1]!;
  }
  diagonal[0] = a[0]!;
  return accumulated(reflectors, n);
}

/** p = A·u for the leading k rows and columns, of which the lower triangle is stored. */
function symmetricProduct(a: Float64Array, n: number, u: Float64Array, k: number, p: Float64Array): void {
  p.fill(0, 0, k);
  for (let i = 0; i < k; i++) {
    const row = i * n;
    const own = u[i]!;
    let sum = 0;
    for (let j = 0; j < i; j++) {
      sum += a[row + j]! * u[j]!;
      p[j]! += a[row + j]! * own;
    }
    p[i]! += sum + a[row + i]! * own;
  }
}

/** The product of the reflections as rows: row i is what the i-th unit vector of the tridiagonal form is in the old basis. */
function accumulated(reflectors: readonly (Float64Array | null)[], n: number): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  for (let k = 2; k < n; k++) {
    const u = reflectors[k];
    if (!u) continue;
    // The k-th acts on the first k coordinates, where the rows so far are not zero.
    for (let i = 0; i < k; i++) {
      const row = i * n;
      let sum = 0;
      for (let j = 0; j < k; j++) sum += q[row + j]! * u[j]!;
      for (let j = 0; j < k; j++) q[row + j]! -= sum * u[j]!;
    }
  }
  return q;
}

/** Diagonalizes the tridiagonal form; rows of `q` follow. */
function implicitQl(q: Float64Array, n: number, d: Float64Array, beside: Float64Array): void {
  const e = new Float64Array(n);
  for (let i = 1; i < n; i++) e[i - 1] = beside[i]!;
  for (let l = 0; l < n; l++) {
    for (let turns = 0; turns < 60; turns++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > 2 ** -52 * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      g = d[m]! - d[l]! + e[l]! / (g + (g < 0 ? -Math.hypot(g, 1) : Math.hypot(g, 1)));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        const t = (d[i]! - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        rotate(q, n, i, s, c);
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

function rotate(q: Float64Array, n: number, i: number, s: number, c: number): void {
  const [a, b] = [i * n, (i + 1) * n];
  for (let k = 0; k < n; k++) {
    const f = q[b + k]!;
    const own = q[a + k]!;
    q[b + k] = s * own + c * f;
    q[a + k] = c * own - s * f;
  }
}
