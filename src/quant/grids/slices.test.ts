/** Slices: runs in memory order, gathered values, and bias encodings that follow them. */
import { describe, expect, test } from "vitest";
import { biasEncoding } from "../plan/bias-encoding.ts";
import type { Encoding, Granularity } from "./encoding.ts";
import { forEachRun, forEachStretch, gatherSlices, sliceCount } from "./slices.ts";

/** The slice of every element, from the runs. */
function sliceOfEach(shape: readonly number[], granularity: Granularity): number[] {
  const found: number[] = [];
  forEachRun(shape, granularity, (slice, start, end) => {
    expect(start).toBe(found.length);
    for (let i = start; i < end; i++) found.push(slice);
  });
  return found;
}

describe("slices", () => {
  test("per channel, on any axis", () => {
    expect(sliceOfEach([2, 3], { kind: "channel", axis: 0 })).toEqual([0, 0, 0, 1, 1, 1]);
    expect(sliceOfEach([2, 3], { kind: "channel", axis: 1 })).toEqual([0, 1, 2, 0, 1, 2]);
    expect(sliceOfEach([2, 2, 2], { kind: "channel", axis: 1 })).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
  });

  test("blocks are numbered as the shape with the axis divided, row by row", () => {
    const last: Granularity = { kind: "block", axis: 1, size: 2, channelAxis: 0 };
    expect(sliceOfEach([2, 4], last)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    const first: Granularity = { kind: "block", axis: 0, size: 2, channelAxis: 1 };
    expect(sliceOfEach([4, 2], first)).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
    expect(sliceCount([4, 2], first)).toBe(4);
  });

  test("stretches are as long as memory allows", () => {
    const stretchesOf = (shape: readonly number[], granularity: Granularity) => {
      const found: (readonly number[])[] = [];
      forEachStretch(shape, granularity, (...stretch) => found.push(stretch));
      return found;
    };
    // Slice, step from element to element, start and end.
    expect(stretchesOf([2, 3], { kind: "channel", axis: 0 })).toEqual([
      [0, 0, 0, 3],
      [1, 0, 3, 6],
    ]);
    expect(stretchesOf([2, 3], { kind: "channel", axis: 1 })).toEqual([
      [0, 1, 0, 3],
      [0, 1, 3, 6],
    ]);
    expect(stretchesOf([4, 2], { kind: "block", axis: 0, size: 2, channelAxis: 1 })).toEqual([
      [0, 1, 0, 2],
      [0, 1, 2, 4],
      [2, 1, 4, 6],
      [2, 1, 6, 8],
    ]);
    expect(stretchesOf([0, 3], { kind: "channel", axis: 1 })).toEqual([]);
  });

  test("gathering keeps all elements, and a kernel's places share their block", () => {
    const data = Float32Array.from({ length: 16 }, (_, i) => i);
    const groups = gatherSlices(data, [2, 4, 1, 2], { kind: "block", axis: 1, size: 2, channelAxis: 0 });
    expect(groups.map((g) => g.slices)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ]);
    expect(groups.map((g) => [...g.values])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
      [12, 13, 14, 15],
    ]);
    expect(gatherSlices(data, [2, 8], { kind: "channel", axis: 1 }).map((g) => [...g.values])).toEqual(
      Array.from({ length: 8 }, (_, i) => [i, i + 8]),
    );
  });

  test("axes and blocks that do not fit are refused", () => {
    expect(() => sliceCount([2, 3], { kind: "channel", axis: 2 })).toThrow("expected an axis below 2, got 2");
    expect(() => sliceCount([2, 3], { kind: "block", axis: 1, size: 2, channelAxis: 0 })).toThrow(
      "multiple of the block size 2, got 3",
    );
  });
});

test("more slices than a call takes arguments", () => {
  const shape = [2, 200_000];
  const slices = gatherSlices(new Float32Array(400_000), shape, { kind: "block", axis: 1, size: 2, channelAxis: 0 });
  expect(slices.length).toBe(200_000);
});

describe("bias", () => {
  const input: Encoding = {
    grid: { kind: "int", bits: 8, signed: false },
    granularity: { kind: "tensor" },
    symmetric: false,
    scale: [0.5],
    offset: [-3],
  };
  const weight = (granularity: Granularity, scale: number[]): Encoding => ({
    ...input,
    granularity,
    scale,
    offset: scale.map(() => -128),
  });

  test("scales multiply; int32 with offset −2³¹; a floor for empty channels", () => {
    const found = biasEncoding(input, weight({ kind: "channel", axis: 0 }, [0.2, 1e-20]), 2);
    expect(found.scale).toEqual([0.1, 2.33e-12]);
    expect(found.offset).toEqual([-(2 ** 31), -(2 ** 31)]);
    expect(biasEncoding(input, weight({ kind: "tensor" }, [0.2]), 7)).toMatchObject({
      granularity: { kind: "tensor" },
      scale: [0.1],
    });
    // One channel is not the same as one scale for all: the plan says which.
    expect(biasEncoding(input, weight({ kind: "channel", axis: 1 }, [0.2]), 1).granularity.kind).toBe("channel");
  });

  test("of blocks the largest, of a grouped transposed convolution the group's", () => {
    const rows = weight({ kind: "block", axis: 1, size: 2, channelAxis: 0 }, [1, 4, 2, 3]);
    expect(biasEncoding(input, rows, 2).scale).toEqual([2, 1.5]);
    const columns = weight({ kind: "block", axis: 0, size: 2, channelAxis: 1 }, [1, 4, 2, 3]);
    expect(biasEncoding(input, columns, 2).scale).toEqual([1, 2]);
    expect(biasEncoding(input, weight({ kind: "channel", axis: 1 }, [1, 2]), 4).scale).toEqual([0.5, 1, 0.5, 1]);
  });
});
