/**
 * Hadamard matrices H (entries ±1, H·Hᵀ = n·I) of orders 2^k · 12^a · 20^b · 28^c: Kronecker products of Sylvester's matrix of order 2 and
 * Paley's (1933) of orders 12, 20 and 28.
 */

const bases = [28, 20, 12, 2] as const;

/** How an order is a product of the orders that are built; undefined where it is none. */
export function hadamardFactors(order: number): number[] | undefined {
  if (order === 1) return [];
  for (const base of bases) {
    const rest = order % base === 0 ? hadamardFactors(order / base) : undefined;
    if (rest) return [base, ...rest];
  }
  return undefined;
}

/** H of this order, row by row; undefined where none is built. */
export function hadamard(order: number): Float64Array | undefined {
  const factors = hadamardFactors(order);
  return factors?.map(ofBase).reduce(kronecker, new Float64Array([1]));
}

/** [A ⊗ B]: every entry of A times all of B; both square. */
export function kronecker(a: Float64Array, b: Float64Array): Float64Array {
  const [m, n] = [Math.sqrt(a.length), Math.sqrt(b.length)];
  const side = m * n;
  const product = new Float64Array(side * side);
  for (let i = 0; i < product.length; i++) {
    const [row, column] = [Math.floor(i / side), i % side];
    const outer = a[Math.floor(row / n) * m + Math.floor(column / n)]!;
    product[i] = outer * b[(row % n) * n + (column % n)]!;
  }
  return product;
}

function ofBase(base: number): Float64Array {
  if (base === 2) return Float64Array.of(1, 1, 1, -1);
  return base === 28 ? paleySecond(13) : paleyFirst(base - 1);
}

/** Paley's first construction for a prime q ≡ 3 (mod 4), order q + 1: I + S with S skew, bordered by ones. */
function paleyFirst(q: number): Float64Array {
  const n = q + 1;
  return Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    if (row === column) return 1;
    if (row === 0) return 1;
    return column === 0 ? -1 : character(row - column, q);
  });
}

/** Paley's second construction for a prime q ≡ 1 (mod 4), order 2·(q + 1): C ⊗ [1 1; 1 −1] + I ⊗ [1 −1; −1 −1], C symmetric. */
function paleySecond(q: number): Float64Array {
  const n = q + 1;
  const conference = Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    if (row === column) return 0;
    return row === 0 || column === 0 ? 1 : character(row - column, q);
  });
  const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const diagonal = kronecker(identity, Float64Array.of(1, -1, -1, -1));
  return kronecker(conference, Float64Array.of(1, 1, 1, -1)).map((entry, i) => entry + diagonal[i]!);
}

/** The quadratic character of a prime field: 1 for squares, −1 for others, 0 for 0. */
function character(value: number, q: number): number {
  const residue = ((value % q) + q) % q;
  if (residue === 0) return 0;
  for (let root = 1; root < q; root++) if ((root * root) % q === residue) return 1;
  return -1;
}
