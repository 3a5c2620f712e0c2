/** Calibration end to end on small graphs, in ONNX Runtime: what is observed, tied, fixed, frozen, and what is refused. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { IntGrid } from "../grids/codec.ts";
import { encodingMax, encodingMin } from "../grids/encoding.ts";
import type { Scheme } from "../observers/observer.ts";
import { entriesByValue, type Plan, type PlanEntry } from "../plan/plan.ts";
import { calibrate } from "./calibrate.ts";

const uint8: IntGrid = { kind: "int", bits: 8, signed: false };
const int8: IntGrid = { kind: "int", bits: 8, signed: true };
const runtime = await openRuntime();

function activation(value: string, more: Partial<PlanEntry> = {}): PlanEntry {
  return {
    value,
    kind: "activation",
    grid: uint8,
    granularity: { kind: "tensor" },
    symmetric: false,
    reason: "test",
    ...more,
  };
}

function planOf(...entries: PlanEntry[]): Plan {
  return { version: 1, target: "test", entries, notQuantized: [] };
}

function conv(): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[n,2,4,4] x) => (float[n,3,2,2] y)
    <float[3,2,1,1] w = {1.0, -0.5, 0.25, 2.0, -4.0, 0.0}, float[3] b = {0.5, -0.25, 0.125}> {
      c = Conv(x, w, b)
      r = Relu(c)
      y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
    }`);
}

const random = new Random(1);
const x = Tensor.float32(
  [10, 2, 4, 4],
  Array.from({ length: 320 }, () => random.uniform(-1, 2)),
);
const data = arrayData({ x });

/** Minimum and maximum of what the plain TypeScript convolution of `conv()` returns. */
function rangeOfConv(): readonly [number, number] {
  const [w, b] = [
    [1, -0.5, 0.25, 2, -4, 0],
    [0.5, -0.25, 0.125],
  ];
  const found: number[] = [];
  const at = x.numbers();
  for (let n = 0; n < 10; n++) {
    for (let p = 0; p < 16; p++) {
      for (let o = 0; o < 3; o++) {
        found.push(w![2 * o]! * at[n * 32 + p]! + w![2 * o + 1]! * at[n * 32 + 16 + p]! + b![o]!);
      }
    }
  }
  return [Math.min(...found), Math.max(...found)];
}

const weight: PlanEntry = {
  value: "w",
  kind: "weight",
  grid: int8,
  granularity: { kind: "channel", axis: 0 },
  symmetric: true,
  reason: "test",
};
const bias: PlanEntry = {
  ...weight,
  value: "b",
  kind: "bias",
  grid: { kind: "int", bits: 32, signed: true },
  scaleFrom: { input: "x", weight: "w" },
};

describe("min-max", () => {
  test("ranges, weights and biases of a convolution", async () => {
    const plan = planOf(
      activation("x"),
      weight,
      bias,
      activation("c"),
      activation("r"),
      activation("y", { sharesEncodingOf: "r" }),
    );
    const result = await calibrate(conv(), plan, runtime, data, { scheme: "minmax", batch: 3, floatWeights: true });
    const entries = entriesByValue(result.plan);
    const [low, high] = rangeOfConv();
    const c = entries.get("c")!.encoding!;
    // Half a step for the rounded offset.
    expect(Math.abs(encodingMin(c) - low)).toBeLessThanOrEqual(c.scale[0]! / 2 + 1e-6);
    expect(Math.abs(encodingMax(c) - high)).toBeLessThanOrEqual(c.scale[0]! / 2 + 1e-6);
    expect(encodingMin(entries.get("r")!.encoding!)).toBe(0);
    expect(entries.get("y")!.encoding).toEqual(entries.get("r")!.encoding);
    const w = entries.get("w")!.encoding!;
    expect(w.scale).toEqual([1 / 127, 2 / 127, 4 / 128]);
    expect(entries.get("b")!.encoding!.scale).toEqual(w.scale.map((s) => s * entries.get("x")!.encoding!.scale[0]!));
    expect(result.statistics.map((s) => s.value)).toEqual(["x", "w", "c", "r"]);
    expect(result.statistics[2]).toMatchObject({ count: 10, histogram: null });
  });

  test("frozen encodings and both-sided fixed ranges need no observer; one fixed end replaces the observed one", async () => {
    const frozen = {
      grid: uint8,
      granularity: { kind: "tensor" },
      symmetric: false,
      scale: [0.5],
      offset: [-3],
    } as const;
    const plan = planOf(
      activation("x", { encoding: frozen, frozen: true }),
      activation("c", { range: { min: -1 } }),
      activation("r", { range: { min: 0, max: 1 } }),
    );
    const { plan: filled, statistics } = await calibrate(conv(), plan, runtime, data, { scheme: "minmax" });
    const entries = entriesByValue(filled);
    expect(entries.get("x")!.encoding).toBe(frozen);
    expect(encodingMin(entries.get("c")!.encoding!)).toBeCloseTo(-1, 1);
    expect(encodingMax(entries.get("c")!.encoding!)).toBeGreaterThan(2);
    expect(entries.get("r")!.encoding).toMatchObject({ scale: [1 / 255], offset: [0] });
    expect(statistics.map((s) => s.value)).toEqual(["c"]);
  });
});

describe("schemes with histograms", () => {
  test.each(["sqnr", "mse", "entropy", "percentile:99", "tf_enhanced"] as Scheme[])(
    "%s fills every entry",
    async (scheme) => {
      const plan = planOf(activation("x"), weight, bias, activation("c"), activation("y"));
      const { plan: filled, statistics } = await calibrate(conv(), plan, runtime, data, { scheme, batch: 4 });
      for (const { encoding } of filled.entries) expect(encoding!.scale.every((s) => s > 0)).toBe(true);
      expect(statistics.find((s) => s.value === "c")).toMatchObject({ count: 480 });
      expect(statistics.find((s) => s.value === "c")!.histogram!.counts.length).toBeGreaterThan(32);
    },
  );

  test("a value that only a Relu reads spends no step on what the Relu drops", async () => {
    const { plan } = await calibrate(conv(), planOf(activation("c")), runtime, data, { scheme: "mse" });
    expect(encodingMin(plan.entries[0]!.encoding!)).toBe(0);
    const exact = await calibrate(conv(), planOf(activation("c")), runtime, data, { scheme: "minmax" });
    expect(encodingMin(exact.plan.entries[0]!.encoding!)).toBeLessThan(-1);
  });

  test("the result does not depend on the batch, but for AIMET's scheme", async () => {
    const plan = planOf(activation("x"), activation("c"));
    const of = async (batch: number) => (await calibrate(conv(), plan, runtime, data, { scheme: "sqnr", batch })).plan;
    expect(await of(1)).toEqual(await of(10));
  });
});

describe("bad data", () => {
  test("NaN is traced to the first node that gives it", async () => {
    const model = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[n,2] x) => (float[n,2] y) {
        a = Sqrt(x)
        c = Add(a, x)
        y = Mul(c, c)
      }`);
    const negative = arrayData({ x: Tensor.float32([3, 2], [1, 2, 3, 4, -1, 5]) });
    for (const scheme of ["minmax", "sqnr"] as Scheme[]) {
      const failed = calibrate(model, planOf(activation("y")), runtime, negative, { scheme, batch: 1 });
      await expect(failed).rejects.toMatchObject({
        code: "data/not-finite",
        message: "expected finite numbers in y, got NaN or an infinity in the batch that starts with sample 2",
        detail: { at: "Sqrt → a" },
      });
    }
    const infinite = arrayData({ x: Tensor.float32([1, 2], [1, Number.POSITIVE_INFINITY]) });
    await expect(
      calibrate(model, planOf(activation("y")), runtime, infinite, { scheme: "minmax" }),
    ).rejects.toMatchObject({
      detail: { at: "input x", hint: "look at the data and its preprocessing" },
    });
  });

  test("no samples, and plans of another model", async () => {
    const none = arrayData({ x: Tensor.float32([0, 2, 4, 4], []) });
    const plan = planOf(activation("c"));
    await expect(calibrate(conv(), plan, runtime, none, { scheme: "minmax", batch: 1 })).rejects.toMatchObject({
      code: "data/none",
    });
    await expect(calibrate(conv(), planOf(activation("q")), runtime, data)).rejects.toMatchObject({
      code: "quant/no-such-value",
    });
    await expect(calibrate(conv(), planOf({ ...weight, value: "c" }), runtime, data)).rejects.toMatchObject({
      code: "quant/no-such-value",
    });
    const lost = planOf(activation("c", { sharesEncodingOf: "q" }));
    await expect(calibrate(conv(), lost, runtime, data, { scheme: "minmax" })).rejects.toMatchObject({
      code: "quant/no-such-value",
    });
  });

  test("stops when it is told to", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const running = calibrate(conv(), planOf(activation("c")), runtime, data, {
      scheme: "mse",
      batch: 1,
      signal: controller.signal,
      onProgress,
    });
    await expect(running).rejects.toMatchObject({ code: "abort/interrupted" });
  });
});
