/** Taps: the fetched values are those of a plain run, reductions run in the graph, a stream can be stopped. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { openRuntime } from "./doors/open-runtime.ts";
import { takeSamples } from "./feeds.ts";
import { alongAxis, overall } from "./reductions.ts";
import { openTaps } from "./taps.ts";

const runtime = await openRuntime();

function network(opset: number, batch: number | string = "N") {
  return parseModel(
    `<ir_version: 8, opset_import: ["" : ${opset}]>
     g (float[${batch}, 3, 6, 6] x, float[${batch}, 1] unused) => (float[${batch}, 4, 4, 4] y, float[${batch}, 1] other)
     <float[4, 3, 3, 3] w, float[4, 4, 1, 1] v> {
       a = Conv(x, w)  r = Relu(a)  y = Conv(r, v)  other = Neg(unused)
     }`,
    { seed: 7 },
  );
}

function pictures(count: number) {
  const random = new Random(1);
  return Tensor.float32(
    [count, 3, 6, 6],
    Float32Array.from({ length: count * 108 }, () => random.normal()),
  );
}

const x = pictures(10);
const data = arrayData({ x, unused: Tensor.float32([10, 1], new Float32Array(10)) });

test("tapped values equal those of a run of the whole model, in order, for every sample", async () => {
  const model = network(21);
  const whole = network(21);
  const find = (name: string) => whole.graph.valuesByName().get(name)!;
  whole.graph.setOutputs([find("r"), find("y")]);
  await using session = await runtime.open(whole, { optimization: "off" });
  const expected = await session.run({ x, unused: Tensor.float32([10, 1], new Float32Array(10)) });
  await using taps = await openTaps(model, runtime, { values: ["r", "x", "y"], session: { optimization: "off" } });
  const seen: number[] = [];
  for await (const { first, size, values } of taps.stream(data, { batch: 4 })) {
    seen.push(first, size);
    for (const name of ["r", "y"]) {
      expect(values[name]!.data).toEqual(takeSamples(expected[name]!, first, size).data);
    }
    expect(values.x!.data).toEqual(takeSamples(x, first, size).data);
  }
  expect(seen).toEqual([0, 4, 4, 4, 8, 2]);
});

describe("reductions in the graph", () => {
  // Before opset 18 the axes were attributes of ReduceMin and ReduceMax, before 13 of ReduceSum.
  test.each([11, 13, 18, 21])("opset %i", async (opset) => {
    await using taps = await openTaps(network(opset), runtime, {
      values: ["a"],
      reductions: new Map([
        [
          "a",
          (graph, value, version) => [
            ...overall("ReduceMin", "ReduceMax", "ReduceSum", "ReduceSumSquare")(graph, value, version),
            ...alongAxis(1, 4, "ReduceMax", "ReduceSum")(graph, value, version),
          ],
        ],
      ]),
    });
    for await (const { values, reduced, size } of taps.stream(data, { batch: 3 })) {
      const a = [...values.a!.floats()];
      const [min, max, sum, squares, maxima, sums] = reduced.get("a")!;
      expect(min!.floats()[0]).toBe(Math.min(...a));
      expect(max!.floats()[0]).toBe(Math.max(...a));
      // Sums of up to 192 float32 numbers of size 5: the order of additions moves the last digits.
      expect(sum!.floats()[0]).toBeCloseTo(
        a.reduce((s, v) => s + v),
        3,
      );
      expect(squares!.floats()[0]! / a.reduce((s, v) => s + v * v, 0)).toBeCloseTo(1, 5);
      const channel = (c: number) => a.filter((_, i) => Math.floor(i / 16) % 4 === c);
      expect(size * 64).toBe(a.length);
      expect([...maxima!.floats()]).toEqual([0, 1, 2, 3].map((c) => Math.max(...channel(c))));
      sums!.floats().forEach((value, c) => {
        expect(value).toBeCloseTo(
          channel(c).reduce((s, v) => s + v),
          3,
        );
      });
    }
  });
});

test("the batch is chosen by size, and the model's own batch wins", async () => {
  await using free = await openTaps(network(21), runtime, { values: ["y"] });
  const sizes: number[] = [];
  for await (const { size } of free.stream(data)) sizes.push(size);
  expect(sizes).toEqual([8, 2]);
  await using fixed = await openTaps(network(21, 1), runtime, { values: ["y"] });
  let runs = 0;
  for await (const { size } of fixed.stream(data, { batch: 4 })) runs += size;
  expect(runs).toBe(10);
  await using three = await openTaps(network(21, 3), runtime, { values: ["y"] });
  await expect(async () => {
    for await (const _ of three.stream(data));
  }).rejects.toEqual(expect.objectContaining({ code: "data/wrong-shape" }));
});

test("progress is told, an abort ends the stream with its code", async () => {
  await using taps = await openTaps(network(21), runtime, { values: ["y"] });
  const stop = new AbortController();
  const done: number[] = [];
  await expect(async () => {
    const onProgress = (event: { done: number }) => {
      done.push(event.done);
      if (event.done === 6) stop.abort();
    };
    for await (const _ of taps.stream(data, { batch: 2, signal: stop.signal, onProgress }));
  }).rejects.toEqual(expect.objectContaining({ code: "abort/interrupted" }));
  expect(done).toEqual([2, 4, 6]);
});

test("an unknown value is named", async () => {
  await expect(openTaps(network(21), runtime, { values: ["nope"] })).rejects.toEqual(
    expect.objectContaining({ code: "graph/not-found" }),
  );
});
