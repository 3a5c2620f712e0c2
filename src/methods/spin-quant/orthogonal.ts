/** Orthogonal matrices M [n, n] by which values are mixed, x ↦ x·M; row by row in float64. */
import type { Random } from "../../base/inner.ts";
import { hadamard } from "./hadamard.ts";

export interface Orthogonal {
  readonly size: number;
  readonly entries: Float64Array;
}

/**
 * A Hadamard matrix of this order, its rows with random signs (QuaRot, Ashkboos et al. 2024), scaled to be orthogonal; a random orthogonal
 * matrix where no Hadamard matrix of the order is built.
 */
export function mixingMatrix(size: number, random: Random): Orthogonal {
  const entries = hadamard(size);
  if (!entries) return randomOrthogonal(size, random);
  const length = Math.sqrt(size);
  for (let row = 0; row < size; row++) {
    const factor = (random.uniform() < 0.5 ? -1 : 1) / length;
    for (let column = 0; column < size; column++) entries[row * size + column]! *= factor;
  }
  return { size, entries };
}

/** Uniformly distributed: the Q of normal numbers, by Gram and Schmidt, each row twice so that rounding leaves nothing over. */
export function randomOrthogonal(size: number, random: Random): Orthogonal {
  const entries = Float64Array.from({ length: size * size }, () => random.normal());
  for (let row = 0; row < size; row++) {
    const own = entries.subarray(row * size, (row + 1) * size);
    for (let round = 0; round < 2; round++) {
      for (let other = 0; other < row; other++) {
        const before = entries.subarray(other * size, (other + 1) * size);
        const share = dot(own, before);
        for (let i = 0; i < size; i++) own[i]! -= share * before[i]!;
      }
      const length = Math.sqrt(dot(own, own));
      for (let i = 0; i < size; i++) own[i]! /= length;
    }
  }
  return { size, entries };
}

/**
 * One that keeps the mean of what it mixes, M·1 = 1, so that a normalization which subtracts the mean commutes with it: P·diag(1, Q)·P with
 * Q [n − 1, n − 1] orthogonal and P the reflection that swaps the vector of ones with the first axis.
 */
export function meanKeeping(size: number, random: Random): Orthogonal {
  if (size === 1) return { size, entries: Float64Array.of(1) };
  const inner = mixingMatrix(size - 1, random).entries;
  const entries = new Float64Array(size * size);
  entries[0] = 1;
  for (let row = 1; row < size; row++) {
    entries.set(inner.subarray((row - 1) * (size - 1), row * (size - 1)), row * size + 1);
  }
  const mirror = new Float64Array(size).fill(1 / Math.sqrt(size));
  mirror[0]! -= 1;
  const square = dot(mirror, mirror);
  reflect(entries, mirror, square, size, 1);
  reflect(entries, mirror, square, 1, size);
  return { size, entries };
}

/** The transpose, which is the inverse. */
export function inverse({ size, entries }: Orthogonal): Orthogonal {
  return { size, entries: entries.map((_, i) => entries[(i % size) * size + Math.floor(i / size)]!) };
}

/** Reflects every line of entries that are `step` apart, lines `next` apart, at the plane across the mirror. */
function reflect(entries: Float64Array, mirror: Float64Array, square: number, next: number, step: number): void {
  const size = mirror.length;
  for (let line = 0; line < size; line++) {
    let share = 0;
    for (let i = 0; i < size; i++) share += entries[line * next + i * step]! * mirror[i]!;
    share *= 2 / square;
    for (let i = 0; i < size; i++) entries[line * next + i * step]! -= share * mirror[i]!;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
