/** Strided samples: which numbers are taken, that every one is in its turn, and how many are left of any shape. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { sizeOf, Tensor } from "../tensor/inner.ts";
import { openRuntime } from "./doors/open-runtime.ts";
import { type Stride, StridedSamples, strideOf } from "./strided.ts";
import { openTaps } from "./taps.ts";

const runtime = await openRuntime();

/** Numbers that a stride leaves of a shape when it starts at the first index. */
function numbersLeft(shape: readonly number[], { axes, steps }: Stride): number {
  return sizeOf(
    shape.map((length, axis) => Math.ceil(length / (axes.includes(axis) ? steps[axes.indexOf(axis)]! : 1))),
  );
}

describe("how far apart", () => {
  test.each([
    { shape: [1, 96, 112, 112], from: 2 },
    { shape: [1, 96, 112, 112], from: 1 },
    { shape: [1, 1280, 7, 7], from: 2 },
    { shape: [4, 3, 1_000_000], from: 1 },
    { shape: [1, 300_000], from: 1 },
  ])("$shape from axis $from: at most what was asked for, and more than half of it", ({ shape, from }) => {
    const stride = strideOf(shape, 16_384, from)!;
    expect(Math.min(...stride.axes)).toBeGreaterThanOrEqual(from);
    expect(numbersLeft(shape, stride)).toBeLessThanOrEqual(16_384);
    expect(numbersLeft(shape, stride)).toBeGreaterThan(8192);
  });

  test("no stride where there are no more numbers, or only axes that stay whole", () => {
    expect(strideOf([1, 16, 32, 32], 16_384, 1)).toBeNull();
    expect(strideOf([1, 50_000], 16_384, 2)).toBeNull();
    expect(strideOf([], 0, 1)).toBeNull();
    expect(strideOf([1, 0, 5], 16_384, 1)).toBeNull();
    // What the axes have is taken, though it is not enough.
    expect(numbersLeft([1, 50_000, 3], strideOf([1, 50_000, 3], 16_384, 2)!)).toBe(50_000);
  });
});

test("the numbers are those of the value at the places, other ones in each run, all of them in time", async () => {
  const model = parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[n,2,5,7] x) => (y) { h = Neg(x) y = Neg(h) }`);
  const x = Tensor.float32(
    [60, 2, 5, 7],
    Float32Array.from({ length: 60 * 70 }, (_, i) => i % 70),
  );
  const samples = new StridedSamples(new Random(3));
  const stride = { axes: [2, 3], steps: [2, 3] };
  await using taps = await openTaps(model, runtime, {
    reductions: new Map([["h", (graph, value) => samples.add(graph, [value], stride)]]),
    added: () => samples.next(),
  });
  const seen = new Set<number>();
  for await (const { reduced } of taps.stream(arrayData({ x }), { batch: 1 })) {
    const [sample] = reduced.get("h")!;
    const first = -sample!.floats()[0]!;
    const [row, column] = [Math.floor(first / 7), first % 7];
    expect(row).toBeLessThan(2);
    expect(column).toBeLessThan(3);
    const places = [0, 1].flatMap((channel) =>
      [0, 1, 2, 3, 4]
        .filter((r) => r % 2 === row)
        .flatMap((r) => [0, 1, 2, 3, 4, 5, 6].filter((c) => c % 3 === column).map((c) => 35 * channel + 7 * r + c)),
    );
    expect([...sample!.floats()].map((number) => -number)).toEqual(places);
    for (const place of places) seen.add(place);
  }
  expect(seen.size).toBe(70);
});
