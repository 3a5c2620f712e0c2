/** The decomposition puts the matrix together again, its vectors are orthonormal, and known spectra are found. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";

/** max |Vᵀ·diag·V − A| and max |V·Vᵀ − I|. */
function faults(a: Float64Array, n: number): [apart: number, skew: number] {
  const { values, vectors } = symmetricEigen(a, n);
  let [apart, skew] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let [again, product] = [0, 0];
      for (let k = 0; k < n; k++) {
        again += values[k]! * vectors[k * n + i]! * vectors[k * n + j]!;
        product += vectors[i * n + k]! * vectors[j * n + k]!;
      }
      apart = Math.max(apart, Math.abs(again - a[i * n + j]!));
      skew = Math.max(skew, Math.abs(product - (i === j ? 1 : 0)));
    }
  }
  return [apart, skew];
}

function symmetric(n: number, seed: number, rank = n): Float64Array {
  const random = new Random(seed);
  const factor = Float64Array.from({ length: n * rank }, () => random.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let k = 0; k < rank; k++) a[i * n + j]! += factor[i * rank + k]! * factor[j * rank + k]!;
  return a;
}

test("any symmetric matrix comes back, of any size and rank", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 0, max: 30 }), fc.nat(), (n, rank, seed) => {
      const a = symmetric(n, seed, Math.min(rank, n));
      const size = a.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      // Backward stable in float64: n rounding errors of the largest element.
      const [apart, skew] = faults(a, n);
      return apart < 1e-14 * 20 * n * size && skew < 1e-14 * 20 * n;
    }),
    { numRuns: 300, seed: 7 },
  );
});

describe("spectra that are known", () => {
  test("second differences: 2 − 2·cos(kπ / (n + 1))", () => {
    const n = 40;
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      a[i * n + i] = 2;
      if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
    }
    const { values } = symmetricEigen(a, n);
    for (let k = 1; k <= n; k++) expect(values[n - k]).toBeCloseTo(2 - 2 * Math.cos((k * Math.PI) / (n + 1)), 12);
  });

  test.each([
    ["diagonal, negative ones last", [3, 0, 0, 0, -2, 0, 0, 0, 5], [5, 3, -2]],
    ["all equal", [1, 1, 1, 1, 1, 1, 1, 1, 1], [3, 0, 0]],
    ["zero", [0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0]],
  ])("%s", (_, a, expected) => {
    const { values } = symmetricEigen(Float64Array.from(a), 3);
    for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 14);
  });
});
