/** Encodings and constants as tensors of a file: zero points, ends, integers, biases; by hand. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type Encoding, type IntGrid, parseGrid } from "../inner.ts";
import {
  biasTensor,
  clipEnds,
  clipsToGrid,
  integerTensor,
  quantizedTensor,
  scaleShape,
  storedEnds,
  storedZeroPoint,
  zeroPointTensor,
} from "./stored.ts";

const on = (grid: string, offset: number[], scale = offset.map(() => 0.5), more: Partial<Encoding> = {}): Encoding => ({
  grid: parseGrid(grid) as IntGrid,
  granularity: { kind: "tensor" },
  symmetric: true,
  scale,
  offset,
  ...more,
});
const channel = { granularity: { kind: "channel", axis: 0 } } as const;

describe("zero points and ends", () => {
  test("in signed storage a grid in the middle has its zero at 0, a strict one, too", () => {
    expect([-128, -127, -100].map((offset) => storedZeroPoint(on("int8", [offset])) + 0)).toEqual([0, 0, -28]);
    expect(storedEnds(on("int8", [-127])), "one step fewer").toEqual({ low: -127, high: 127 });
    expect(storedEnds(on("int8", [-128]))).toEqual({ low: -128, high: 127 });
  });

  test("in unsigned storage it is the number of steps below zero", () => {
    expect([0, -3, -255].map((offset) => storedZeroPoint(on("uint8", [offset])) + 0)).toEqual([0, 3, 255]);
    expect(storedEnds(on("uint8", [-3]))).toEqual({ low: 0, high: 255 });
    expect(storedEnds(on("int8", [-100]))).toEqual({ low: -128, high: 127 });
  });

  test("one for each channel", () => {
    const found = zeroPointTensor(on("uint8", [-1, -2, -3], [1, 2, 3], channel), [3, 4], "uint8");
    expect([found.dtype, found.shape, found.numbers()]).toEqual(["uint8", [3], [1, 2, 3]]);
    expect(
      scaleShape(
        on("int8", [0, 0], [1, 1], { granularity: { kind: "block", axis: 1, size: 2, channelAxis: 0 } }),
        [1, 4],
      ),
    ).toEqual([1, 2]);
  });
});

test("a grid is clipped where its integers reach beyond it: as integers of 8 bits, as floats above", () => {
  expect(clipEnds(on("uint8", [-3]))).toEqual([]);
  expect(clipEnds(on("uint16", [-3]))).toEqual([]);
  const four = clipEnds(on("uint4", [-3]));
  expect(four.map(({ dtype, shape }) => [dtype, shape])).toEqual([
    ["uint8", []],
    ["uint8", []],
  ]);
  expect(four.map((end) => end.numbers()[0])).toEqual([0, 15]);
  expect(clipEnds(on("int4", [-8])).map((end) => [end.dtype, end.numbers()[0]])).toEqual([
    ["int8", -8],
    ["int8", 7],
  ]);
});

test("a Clip is one of lowering's by the name of its lower end", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[2] x) => (float[2] y) <float x_lowest = {0.0}, float _lowest_x = {0.0}, float hi = {1.0}> {
      a = Clip(x, x_lowest, hi) b = Clip(a, _lowest_x, hi) c = Clip(b) d = Max(c, x_lowest) y = Min(d, hi) }`);
  expect([...model.graph.nodes].map(clipsToGrid)).toEqual([true, false, false, false, false]);
});

describe("numbers", () => {
  const weight = Tensor.float32([2, 3], [-64, -0.25, 0.25, 0.75, 63.5, 1000]);

  test("of a weight, half to even, within the grid", () => {
    const found = quantizedTensor(weight, on("int8", [-128]));
    expect([found.dtype, found.shape, found.numbers()]).toEqual(["int8", [2, 3], [-128, 0, 0, 2, 127, 127]]);
    expect(quantizedTensor(weight, on("uint8", [-128])).numbers()).toEqual([0, 128, 128, 130, 255, 255]);
  });

  test("of a weight with scales per channel", () => {
    expect(quantizedTensor(weight, on("int8", [-128, -128], [0.5, 1], channel)).numbers()).toEqual([
      -128, 0, 0, 1, 64, 127,
    ]);
    expect(quantizedTensor(weight, on("uint8", [-128, 0], [0.5, 1], channel)).numbers()).toEqual([
      0, 128, 128, 1, 64, 255,
    ]);
  });

  test("under 8 bits, packed", () => {
    expect(quantizedTensor(weight, on("int4", [-8])).numbers()).toEqual([-8, 0, 0, 2, 7, 7]);
    expect(integerTensor("uint4", [3], [1, 15, 7]).numbers()).toEqual([1, 15, 7]);
    expect(integerTensor("int32", [2], [-5, 6]).numbers()).toEqual([-5, 6]);
  });

  test("of a bias, with one scale or one a channel, within 32 bits", () => {
    const bias = Tensor.float32([3], [1, -0.75, 1e12]);
    const one = biasTensor(bias, Float32Array.of(0.5));
    expect([one.dtype, one.shape, one.numbers()]).toEqual(["int32", [3], [2, -2, 2 ** 31 - 1]]);
    expect(biasTensor(bias, Float32Array.of(0.5, 0.25, 1)).numbers()).toEqual([2, -3, 2 ** 31 - 1]);
    expect(biasTensor(Tensor.float32([1], [-1e12]), Float32Array.of(1)).numbers()).toEqual([-(2 ** 31 - 1)]);
  });
});

test("numbers are stored above the zero point of their slice, along any axis", () => {
  const options = { granularity: { kind: "channel", axis: 1 }, symmetric: false } as const;
  const columns = on("uint8", [-1, -20, -3], [1, 2, 4], options);
  const values = Tensor.float32([2, 3], [3, -8, 8, -1, 6, 0]);
  expect(quantizedTensor(values, columns).numbers()).toEqual([4, 16, 5, 0, 23, 3]);
  const rows = on("uint8", [-1, -20], [1, 2], { granularity: { kind: "channel", axis: 0 }, symmetric: false });
  expect(quantizedTensor(values, rows).numbers()).toEqual([4, 0, 9, 20, 23, 20]);
});
