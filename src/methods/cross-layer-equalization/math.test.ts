/** The arithmetic of equalization on groups of channels alone: closed forms of the paper, small enough to follow by hand. */
import { describe, expect, test } from "vitest";
import { absorbable, equalizingScales, type LayerStrengths, pairScale } from "./math.ts";

/** Entries as [largest, output group, input group]; group 0 is outside and fixed. */
const layer = (...entries: readonly (readonly [number, number, number])[]): LayerStrengths => ({
  largest: Float64Array.from(entries, ([largest]) => largest),
  output: Int32Array.from(entries, ([, output]) => output),
  input: Int32Array.from(entries, ([, , input]) => input),
});
const scalesOf = (...args: Parameters<typeof equalizingScales>) => Array.from(equalizingScales(...args).scale);

test("a pair of ranges is divided by the root of their ratio; dead or endless sides are left", () => {
  expect(pairScale(4, 1)).toBe(2);
  expect(pairScale(1, 16)).toBe(0.25);
  for (const [before, after] of [
    [0, 3],
    [3, 0],
    [0, 0],
    [Infinity, 1],
    [Number.NaN, 1],
  ] as const)
    expect(pairScale(before, after)).toBe(1);
  // Ranges whose product is beyond float64 would divide by infinity.
  expect(pairScale(1e200, 1e200)).toBe(1);
});

test("behind a ReLU only what lies three deviations above zero may move; without one all of it", () => {
  expect(absorbable(10, -2, true)).toBe(4);
  expect(absorbable(5, 2, true)).toBe(0);
  expect(absorbable(-5, 2, false)).toBe(-5);
});

describe("scales", () => {
  const first = layer([4, 1, 0], [1, 2, 0], [0, 3, 0]);
  const second = layer([1, 0, 1], [4, 0, 2], [3, 0, 3]);

  test("of a pair are √(r₁ / r₂): found in one sweep, seen to rest in the next", () => {
    const { scale, sweeps } = equalizingScales([first, second], 4);
    for (const [id, wanted] of [1, 2, 0.5, 1].entries()) expect(scale[id]).toBeCloseTo(wanted, 12);
    expect(sweeps).toBe(2);
  });

  test("stay where sweeps end, and where nothing moves by more than the tolerance", () => {
    expect(equalizingScales([first, second], 4, { sweeps: 0 })).toEqual({
      scale: Float64Array.of(1, 1, 1, 1),
      sweeps: 0,
    });
    expect(equalizingScales([first, second], 4, { sweeps: 1 }).sweeps).toBe(1);
    // Channel 1 doubles: it moves by exactly 1.
    expect(equalizingScales([first, second], 4, { tolerance: 1 }).sweeps).toBe(1);
    expect(equalizingScales([first, second], 4, { tolerance: 0.999 }).sweeps).toBe(2);
    // Channel 1 halves: it moves by 0.5, downwards.
    const halved = [layer([1, 1, 0]), layer([4, 0, 1])];
    expect(equalizingScales(halved, 2, { tolerance: 0.5 }).sweeps).toBe(1);
    expect(equalizingScales(halved, 2, { tolerance: 0.4 }).sweeps).toBe(2);
  });

  test("bring a depthwise triple to the cube root of its three ranges", () => {
    const triple = [layer([8, 1, 0]), layer([27, 2, 1]), layer([1, 0, 2])];
    const { scale, sweeps } = equalizingScales(triple, 3, { sweeps: 200, tolerance: 1e-12 });
    const [, a, b] = scale as unknown as [number, number, number];
    for (const range of [8 / a, (27 * a) / b, b]) expect(range).toBeCloseTo(6, 9);
    // Each sweep leaves a quarter of the distance (in logarithms): 1e-12 of about 2 takes some 21 of them.
    expect(sweeps).toBeGreaterThan(15);
    expect(sweeps).toBeLessThan(30);
    expect(equalizingScales(triple, 3).sweeps).toBeLessThan(12);
  });

  test("end after sixty sweeps where a long chain has not come to rest", () => {
    const chain = Array.from({ length: 40 }, (_, i) => layer([i === 0 ? 1e6 : 1, i === 39 ? 0 : i + 1, i]));
    expect(equalizingScales(chain, 40).sweeps).toBe(60);
  });

  test("do not leave what float32 holds well", () => {
    expect(scalesOf([layer([2 ** 60, 1, 0]), layer([2 ** -60, 0, 1])], 2)).toEqual([1, 2 ** 20]);
    expect(scalesOf([layer([2 ** -60, 1, 0]), layer([2 ** 60, 0, 1])], 2)).toEqual([1, 2 ** -20]);
  });

  test("of what no layer computes, or none reads, are 1", () => {
    expect(scalesOf([layer([9, 1, 0])], 2)).toEqual([1, 1]);
    expect(scalesOf([layer([9, 0, 1])], 2)).toEqual([1, 1]);
    // And an outside group that seems to be both is fixed.
    expect(scalesOf([layer([9, 0, 0])], 1)).toEqual([1]);
    expect(scalesOf([layer([9, 0, 2], [1, 1, 0]), layer([1, 2, 0])], 3)).toEqual([1, 1, 1 / 3]);
    // Another layer that computes what none reads does not count where its neighbour is judged.
    const unread = layer([100, 2, 0]);
    expect(scalesOf([layer([4, 1, 0], [1, 2, 0]), unread, layer([1, 0, 1])], 3)).toEqual([1, 2, 1]);
  });

  test("of channels with several layers on a side count each by its own whole range", () => {
    // Channel 1 is the whole of one producer and half of the other; channel 2 a quarter and the whole.
    const producers = [layer([8, 1, 0], [2, 2, 0]), layer([1, 1, 0], [2, 2, 0])];
    const { scale } = equalizingScales([...producers, layer([1, 0, 1], [4, 0, 2])], 3, { sweeps: 1 });
    // Typical range √(8 · 2) = 4 on both; readers 1 and 4.
    expect(scale[1]).toBeCloseTo(2, 12);
    expect(scale[2]).toBeCloseTo(1, 12);
    // A layer of zeros has no range of its own, and is no part of what is typical.
    const zeros = layer([0, 1, 0], [0, 2, 0]);
    expect(scalesOf([layer([4, 1, 0], [1, 2, 0]), zeros, layer([1, 0, 1], [1, 0, 2])], 3)).toEqual([1, 2, 1]);
  });

  test("of a channel that a branch computes from itself: the branch says nothing, its scale cancels", () => {
    const itself = layer([100, 1, 1], [50, 2, 1]);
    const model = [layer([4, 1, 0], [8, 2, 0]), itself, layer([1, 0, 1], [1, 0, 2])];
    const { scale } = equalizingScales(model, 3, { sweeps: 1 });
    // Producers of 1: half of the first layer's 8, typical √(8 · 100). Readers: 50 of 100 and 1 of 1, typical √(100 · 1).
    expect(scale[1]).toBeCloseTo(Math.sqrt((0.5 * Math.sqrt(800)) / 10), 12);
  });

  test("of channels with the same producer are set together, from the same ranges", () => {
    // 1 and 2 come from the first layer; channel 3 is computed from 1, one layer later.
    const model = [layer([16, 1, 0], [4, 2, 0]), layer([1, 3, 1], [1, 3, 2]), layer([1, 0, 3])];
    const { scale } = equalizingScales(model, 4, { sweeps: 1 });
    expect(Array.from(scale.slice(0, 3))).toEqual([1, 4, 2]);
    // Its range is then 4 (through 1), its reader's 1.
    expect(scale[3]).toBe(2);
  });
});
