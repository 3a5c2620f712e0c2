/** Matrices of rotations: orthogonal, with the entries and the invariants that their definitions ask for. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { hadamard, hadamardFactors, kronecker } from "./hadamard.ts";
import { inverse, meanKeeping, mixingMatrix, type Orthogonal, randomOrthogonal } from "./orthogonal.ts";

/** The largest deviation of M·Mᵀ from the identity. */
function deviation({ size, entries }: Orthogonal): number {
  let worst = 0;
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < size; b++) {
      let sum = a === b ? -1 : 0;
      for (let i = 0; i < size; i++) sum += entries[a * size + i]! * entries[b * size + i]!;
      worst = Math.max(worst, Math.abs(sum));
    }
  }
  return worst;
}

/** Sums of some hundred products of float64. */
const rounding = 1e-12;

describe("Hadamard matrices", () => {
  test.each([1, 2, 4, 12, 20, 24, 28, 40, 56, 64, 144, 240, 336])("of order %d", (order) => {
    const entries = hadamard(order)!;
    expect(entries.length).toBe(order * order);
    expect(new Set(entries.map(Math.abs))).toEqual(new Set([1]));
    expect(deviation({ size: order, entries: entries.map((x) => x / Math.sqrt(order)) })).toBeLessThan(rounding);
  });

  test("of orders that no product of 2, 12, 20 and 28 is, are not built", () => {
    for (const order of [3, 6, 36, 43, 172, 92]) expect(hadamard(order)).toBeUndefined();
  });

  test("576 and 1,536, the widths of a small language model, are such products", () => {
    expect(hadamardFactors(576)).toEqual([12, 12, 2, 2]);
    expect(hadamardFactors(1536)).toEqual([12, 2, 2, 2, 2, 2, 2, 2]);
  });

  test("Kronecker products put the second matrix into the first", () => {
    const a = Float64Array.of(1, 2, 3, 4);
    const b = Float64Array.of(0, 5, 6, 7);
    expect([...kronecker(a, b)]).toEqual([0, 5, 0, 10, 6, 7, 12, 14, 0, 15, 0, 20, 18, 21, 24, 28]);
  });
});

describe("orthogonal matrices", () => {
  test.each([1, 5, 16, 43])("at random, of size %d", (size) => {
    expect(deviation(randomOrthogonal(size, new Random(size)))).toBeLessThan(rounding);
  });

  test("mix every channel into every other, with signs that the seed decides", () => {
    const [one, two] = [mixingMatrix(24, new Random(1)), mixingMatrix(24, new Random(2))];
    expect(deviation(one)).toBeLessThan(rounding);
    for (const entry of one.entries) expect(Math.abs(entry)).toBeCloseTo(1 / Math.sqrt(24), 12);
    expect(one.entries).not.toEqual(two.entries);
    expect(mixingMatrix(24, new Random(1))).toEqual(one);
    expect(deviation(mixingMatrix(43, new Random(1)))).toBeLessThan(rounding);
  });

  test.each([1, 2, 13, 64])("that keep the mean: every row of %d sums to one", (size) => {
    const matrix = meanKeeping(size, new Random(3));
    expect(deviation(matrix)).toBeLessThan(rounding);
    for (let row = 0; row < size; row++) {
      const sum = matrix.entries.subarray(row * size, (row + 1) * size).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(1, 12);
    }
    const moved = matrix.entries.filter((_, i) => i % (size + 1) === 0);
    if (size > 2) expect(Math.max(...moved)).toBeLessThan(0.99);
  });

  test("their inverse is their transpose", () => {
    const { entries } = inverse({ size: 2, entries: Float64Array.of(1, 2, 3, 4) });
    expect([...entries]).toEqual([1, 3, 2, 4]);
  });
});
