/** Ranges by what errors do to the outputs: outliers that no output sees stretch nothing, and what has no slope is left alone. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { IntGrid } from "../grids/codec.ts";
import { encodingMax, encodingMin } from "../grids/encoding.ts";
import { MinMaxObserver } from "../observers/min-max.ts";
import { SensitivityObserver } from "../observers/sensitivity.ts";
import { entriesByValue, type Plan } from "../plan/plan.ts";
import { calibrate } from "./calibrate.ts";
import { samplesFor, withSensitivity } from "./sensitivity.ts";

const uint8: IntGrid = { kind: "int", bits: 8, signed: false };
const runtime = await openRuntime();

/** Numbers of `c` are summed by `v` and clipped to ±3 before the output sees them. */
function model(weights: string, tail = "y = GlobalAveragePool(s)"): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[n,2,4,4] x) => (y)
    <float[2,2,1,1] w = {1, 0, 0, 1}, float[1,2,1,1] v = {${weights}}, float low = {-3}, float high = {3}> {
      c = Conv(x, w)
      b = Conv(c, v)
      s = Clip(b, low, high)
      ${tail}
    }`);
}

const random = new Random(7);
/** One position of sixteen is an outlier in both channels, the others are normal with a deviation of 0.3. */
const x = Tensor.float32(
  [40, 2, 4, 4],
  Array.from({ length: 40 * 32 }, (_, i) => (i % 16 === 5 ? 40 + random.uniform(-1, 1) : random.normal() * 0.3)),
);
const plan: Plan = {
  version: 1,
  target: "test",
  entries: [
    { value: "c", kind: "activation", grid: uint8, granularity: { kind: "tensor" }, symmetric: false, reason: "test" },
  ],
  notQuantized: [],
};

async function rangeOf(float: Model, scheme: "sqnr" | "mse" = "sqnr"): Promise<readonly [number, number]> {
  const filled = await calibrate(float, plan, runtime, arrayData({ x }), { scheme });
  const { encoding } = entriesByValue(filled.plan).get("c")!;
  return [encodingMin(encoding!), encodingMax(encoding!)];
}

describe("ranges by what the outputs see", () => {
  test("numbers whose errors a saturated clip takes away stretch no range", async () => {
    const [, plain] = await rangeOf(model("1, 1"), "mse");
    expect(plain).toBeGreaterThan(35);
    const [low, high] = await rangeOf(model("1, 1"));
    // Two deviations at least, and far below the outliers.
    expect(low).toBeLessThan(-0.6);
    expect(high).toBeGreaterThan(0.6);
    expect(high).toBeLessThan(3);
  });

  test("the same numbers keep their range where the output is made of them", async () => {
    const [, high] = await rangeOf(model("0.01, 0.01"));
    expect(high).toBeGreaterThan(35);
  });

  test("an operator without a gradient leaves ranges to the layers that read the value", async () => {
    const float = model("1, 1", "r = Round(s) y = Unique <sorted = 1> (r)");
    const [, high] = await rangeOf(float);
    expect(high).toBeGreaterThan(35);
  });
});

test("samples: as many as have 2^27 numbers, 8 to 48 of large networks, and none that would not fit", () => {
  const numbers = [0, 1, 2 ** 18, 2 ** 20, 2 ** 22, 2 ** 25, 2 ** 26, 2 ** 26 + 1];
  expect(numbers.map(samplesFor)).toEqual([2 ** 24, 2 ** 24, 64, 48, 32, 8, 8, 0]);
});

describe("whose observers weigh errors", () => {
  const graph = (body: string, outputs = "y", constants = "float one = {1.0}") =>
    parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[n,3] x) => (${outputs}) <${constants}> { ${body} }`);
  const data = arrayData({
    x: Tensor.float32(
      [16, 3],
      Array.from({ length: 48 }, (_, i) => 1000 * ((i % 7) - 3) + 50 + i),
    ),
  });

  async function weighs(float: Model, ...names: readonly string[]) {
    const observers = new Map(names.map((name) => [name, seen()]));
    const found = await withSensitivity(float, observers, runtime, data, {});
    return { observers, found, weighing: names.filter((name) => found.get(name) instanceof SensitivityObserver) };
  }
  function seen() {
    const observer = new MinMaxObserver();
    observer.see(Float32Array.of(-3000, 3000));
    return observer;
  }

  test.each(["Softmax", "LogSoftmax", "Sigmoid"])(
    "the scores behind a %s count, where it has no slope itself",
    async (op) => {
      expect((await weighs(graph(`h = Neg(x) s = Neg(h) y = ${op}(s)`), "h")).weighing).toEqual(["h"]);
    },
  );

  test("saturated numbers of another function do not", async () => {
    expect((await weighs(graph("h = Neg(x) s = Neg(h) y = Tanh(s)"), "h")).weighing).toEqual([]);
  });

  test("integer outputs and inputs that are outputs are left out; so are weights, and values that no output depends on", async () => {
    const float = graph(
      "h = Neg(x) d = Sin(h) s = MatMul(h, w) y = Abs(s) i = ArgMax(s)",
      "y, i, x",
      "float[3,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}",
    );
    const { observers, found, weighing } = await weighs(float, "h", "d", "w");
    expect(weighing).toEqual(["h"]);
    for (const name of ["d", "w"]) expect(found.get(name)).toBe(observers.get(name));
  });

  test("none where an operator has no gradient, or constants alone would fill the memory", async () => {
    const flat = await weighs(graph("h = Neg(x) y = Unique <sorted = 1> (h)"), "h");
    expect(flat.found).toBe(flat.observers);
    const large = graph("h = Neg(x) y = Abs(h)");
    large.graph.addInitializer("huge", Tensor.of("int8", [2 ** 26 + 1], new Int8Array(2 ** 26 + 1)));
    const { found, observers } = await weighs(large, "h");
    expect(found).toBe(observers);
  });

  test("each output counts beside its own size", async () => {
    const float = graph(
      "h = Neg(x) c = Clip(h, low, high) a = Mul(c, t) y = ReduceSum(a) z = Mul(h, one)",
      "y, z",
      "float one = {1}, float t = {100000}, float low = {-100}, float high = {100}",
    );
    const { found } = await weighs(float, "h");
    // In the unit of the first output, what is clipped there would count for nothing: a range of ±100.
    expect(found.get("h")!.propose({ bits: 4, symmetric: true }).scale).toBeGreaterThan(100);
  });

  test("none of fewer than eight samples", async () => {
    const { x } = (await data.batches(16)[Symbol.asyncIterator]().next()).value.feeds;
    const few = (count: number) => arrayData({ x: Tensor.float32([count, 3], x.floats().subarray(0, 3 * count)) });
    const float = graph("h = Neg(x) y = Abs(h)");
    const found = async (count: number) =>
      (await withSensitivity(float, new Map([["h", seen()]]), runtime, few(count), {})).get("h");
    expect(await found(7)).toBeInstanceOf(MinMaxObserver);
    expect(await found(8)).toBeInstanceOf(SensitivityObserver);
  });

  test("of large values through a sample of them, the same range to a step", async () => {
    const wide = arrayData({
      x: Tensor.float32(
        [16, 160_000],
        Float32Array.from({ length: 16 * 160_000 }, () => random.normal()),
      ),
    });
    const float = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[n,160000] x) => (y) { h = Neg(x) y = Abs(h) }`);
    const ends = new MinMaxObserver();
    ends.see(Float32Array.of(-6, 6));
    const observer = (await withSensitivity(float, new Map([["h", ends]]), runtime, wide, {})).get("h")!;
    expect(observer).toBeInstanceOf(SensitivityObserver);
    // Slopes are ±1 everywhere, so that this is the range of least squared error of normal numbers, clipping counted twice.
    const { scale, offset } = observer.propose({ bits: 4, symmetric: false });
    // Least at ±2.56 where clipping counts once.
    expect(scale * offset).toBeGreaterThan(-3.4);
    expect(scale * offset).toBeLessThan(-2.5);
  });

  test("other faults are told", async () => {
    const broken = {
      ...data,
      batches: () => {
        throw new Error("no disk");
      },
    };
    const float = graph("h = Neg(x) y = Abs(h)");
    await expect(withSensitivity(float, new Map([["h", seen()]]), runtime, broken, {})).rejects.toThrow("no disk");
    const empty = arrayData({ x: Tensor.float32([0, 3], []) });
    await expect(withSensitivity(float, new Map([["h", seen()]]), runtime, empty, {})).rejects.toThrow(
      "at least one sample",
    );
  });
});
