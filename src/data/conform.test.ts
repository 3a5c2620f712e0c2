/** Data that does not fit the model is refused with its place and a way out. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../tensor/inner.ts";
import { conform, fixedBatch } from "./conform.ts";
import type { InputPort } from "./dataset.ts";
import { fromIterable, fromTensors } from "./memory.ts";
import { samples } from "./selection.ts";

const port = (dtype: string, shape: InputPort["shape"], name = "x"): InputPort[] => [{ name, dtype, shape }];

describe("conform", () => {
  test("other lengths", async () => {
    const data = fromTensors({ x: Tensor.float32([2, 3, 4, 4], new Float32Array(96)) }, "x.npy");
    await expect(conform(data, port("float32", ["N", 3, 224, 224]))).rejects.toMatchObject({
      code: "data/wrong-shape",
      message: 'expected input "x" of shape [N,3,224,224], got [N,3,4,4]',
      detail: { hint: expect.stringContaining('"resize": {"exact": [224, 224]}') },
    });
    await expect(conform(data, port("float32", [1, 4, 4, 3]))).rejects.toMatchObject({
      detail: { hint: expect.stringContaining("channels last") },
    });
  });

  test("a missing input", async () => {
    const data = fromTensors({ a: Tensor.float32([1, 1], [0]) });
    await expect(conform(data, port("float32", [1, 1]))).rejects.toThrow('expected data for the inputs "x", got "a"');
  });

  test("floats become the model's floats, whole numbers its whole numbers", async () => {
    const doubles = fromTensors({ x: Tensor.of("float64", [2], Float64Array.of(0.5, 1 / 3)) });
    const half = await (await conform(doubles, port("float16", ["N"]))).read([0, 1]);
    expect(half.x!.numbers()).toEqual([0.5, 0.333251953125]);
    const single = await (await conform(doubles, port("float32", ["N"]))).read([1]);
    expect(single.x!.numbers()).toEqual([Math.fround(1 / 3)]);
    const tokens = fromTensors({ x: Tensor.of("int32", [2, 2], Int32Array.of(1, 2, 3, -4)) });
    const wide = await (await conform(tokens, port("int64", ["N", "T"]))).read([1]);
    expect(wide.x!.data).toEqual(BigInt64Array.of(3n, -4n));
    const narrow = await conform(tokens, port("uint8", ["N", "T"]));
    await expect(narrow.read([0, 1])).rejects.toThrow("expected numbers that fit uint8, sample 1 has -4");
  });

  test("pixels are not silently floats", async () => {
    const data = fromTensors({ x: Tensor.of("uint8", [1, 2], Uint8Array.of(0, 255)) });
    await expect(conform(data, port("float32", ["N", 2]))).rejects.toMatchObject({
      code: "data/wrong-dtype",
      detail: { hint: expect.stringContaining("--preprocess") },
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%s names the sample", async (bad) => {
    const values = Float32Array.from({ length: 12 }, () => 1);
    values[7] = bad;
    const data = fromTensors({ x: Tensor.float32([6, 2], values) });
    const checked = await conform(data, port("float32", ["N", 2]));
    await expect(checked.read([5, 3])).rejects.toMatchObject({
      code: "data/not-finite",
      message: `expected finite numbers, sample 3 has ${bad}`,
    });
    const part = await conform(samples(data, "skip:2"), port("float32", ["N", 2]));
    await expect(part.read([0, 1])).rejects.toThrow("sample 3 has");
    const stream = await conform(
      fromIterable(() => [{ x: Tensor.of("float16", [2], Uint16Array.of(0x3c00, 0x7c00)) }]),
      port("float16", ["N"]),
    );
    await expect(stream.batches(1)[Symbol.asyncIterator]().next()).resolves.toBeTruthy();
    const batches = stream.batches(2)[Symbol.asyncIterator]();
    await expect(batches.next()).rejects.toThrow("sample 1 has NaN or infinity");
  });

  test("the batch a model fixes", () => {
    expect(fixedBatch(port("float32", [1, 3, 8, 8]))).toBe(1);
    expect(fixedBatch(port("float32", ["N", 3]))).toBeNull();
  });
});
