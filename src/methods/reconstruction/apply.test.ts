import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { type Checkpoint, Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, parseGrid, place, quantizeDequantize } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applyAdaRound } from "../adaround/apply.ts";
import type { MethodContext } from "../method.ts";
import { applyReconstruction } from "./apply.ts";

const runtime = await openRuntime();

const text = `net (float[N,3,8,8] x) => (float[N,10] y) <float[12,3,3,3] w1, float[12] b1, float[12,12,3,3] w2, float[12] b2,
    float[12,12,3,3] w3, float[12] b3, float[12,10] w4, float[10] b4> {
  c1 = Conv<pads=[1,1,1,1]>(x, w1, b1)
  r1 = Relu(c1)
  c2 = Conv<pads=[1,1,1,1]>(r1, w2, b2)
  r2 = Relu(c2)
  c3 = Conv<pads=[1,1,1,1]>(r2, w3, b3)
  s = Add(c3, r1)
  r3 = Relu(s)
  p = GlobalAveragePool(r3)
  f = Flatten(p)
  y = Gemm(f, w4, b4)
}`;

function pictures(count: number, seed: number) {
  const random = new Random(seed);
  const values = Float32Array.from({ length: count * 192 }, () => random.normal());
  return arrayData({ x: Tensor.float32([count, 3, 8, 8], values) });
}

/** Placed with weights of few bits and calibrated; and the mean squared error of any (model, plan) on other data. */
async function setUp(weights = "int3", activations = "uint8") {
  const model = parseModel(text, { seed: 3 });
  const target = builtinTarget("aimet-default");
  const data = pictures(40, 1);
  const shapes = await traceShapes(model, runtime, { x: Tensor.float32([1, 3, 8, 8], new Float32Array(192)) });
  const grids = { weights: parseGrid(weights), activations: parseGrid(activations) };
  const { plan } = await calibrate(model, place(model, target, { shapes, ...grids }), runtime, data);
  const context: MethodContext = { runtime, data, target, calibration: "sqnr", seed: 0, threads: 1 };
  const others = pictures(24, 2);
  const error = async (candidate: Model, filled: Plan) => {
    await using a = await runtime.open(model);
    await using b = await runtime.open(lower(candidate, filled).model, { fuseQdq: false });
    let sum = 0;
    for await (const { feeds } of others.batches(24)) {
      const [left, right] = [(await a.run(feeds)).y!.floats(), (await b.run(feeds)).y!.floats()];
      left.forEach((value, i) => {
        sum += (value - right[i]!) ** 2;
      });
    }
    return sum;
  };
  return { model, plan, context, error };
}

/** What the notes tell of each block: the error on samples set aside before and after, and the verdict. */
function errorsOf(notes: readonly string[]): [number, number, string][] {
  return notes.flatMap((note) => {
    const [, before, after, verdict] = /aside (\S+) → (\S+), (\w+)/.exec(note) ?? [];
    return before ? [[Number(before), Number(after), verdict!] as [number, number, string]] : [];
  });
}

describe("reconstruction", () => {
  test("learns from nearest rounding, and what it gives lies on the grid", async () => {
    const { model, plan, context, error } = await setUp();
    const result = await applyReconstruction(model, plan, context, { iterations: 120, start: "nearest" });
    expect(await error(result.model, result.plan)).toBeLessThan(0.5 * (await error(model, plan)));
    const errors = errorsOf(result.report.notes);
    expect(errors.length).toBe(3);
    for (const [before, after, verdict] of errors) expect(verdict).toBe(after < before ? "kept" : "undone");
    for (const entry of result.plan.entries) {
      if (entry.kind !== "weight") continue;
      expect(entry.frozen).toBe(true);
      const weight = result.model.graph.valuesByName().get(entry.value)!.initializer!;
      expect(weight.floats()).toEqual(quantizeDequantize(weight, entry.encoding!).floats());
    }
    // Learned ranges moved, and are the ones that calibration leaves alone.
    const before = new Map(plan.entries.map((entry) => [entry.value, entry.encoding!.scale[0]!]));
    const learned = result.plan.entries.filter((entry) => entry.kind === "activation" && entry.frozen);
    expect(learned.some((entry) => entry.encoding!.scale[0] !== before.get(entry.value))).toBe(true);
    // The given model keeps its weights.
    expect(model.graph.valuesByName().get("w1")!.initializer).not.toBe(
      result.model.graph.valuesByName().get("w1")!.initializer,
    );
  });

  test("goes on from weights that are rounded already, with scales and weighed channels", async () => {
    const { model, plan, context, error } = await setUp();
    const plain = { iterations: 0, descent: false, bias: false, searchScales: false };
    const rounded = await applyAdaRound(model, plan, context, plain);
    const calibrated = await calibrate(rounded.model, rounded.plan, runtime, context.data);
    const options = {
      iterations: 120,
      learningRate: 0.05,
      reference: model,
      weighting: "fisher",
      weightScales: true,
    } as const;
    const result = await applyReconstruction(rounded.model, calibrated.plan, context, options);
    for (const [before, after, verdict] of errorsOf(result.report.notes))
      expect(verdict).toBe(after < before ? "kept" : "undone");
    expect(await error(result.model, result.plan)).toBeLessThan(0.7 * (await error(rounded.model, calibrated.plan)));
  });

  test("the same seed gives the same bytes, layer by layer too", async () => {
    const { model, plan, context } = await setUp();
    const options = { iterations: 20, start: "nearest", granularity: "layer" } as const;
    const [a, b] = [
      await applyReconstruction(model, plan, context, options),
      await applyReconstruction(model, plan, context, options),
    ];
    expect(errorsOf(a.report.notes).length).toBe(4);
    expect(a.plan).toEqual(b.plan);
    const values = b.model.graph.valuesByName();
    for (const value of a.model.graph.initializers)
      expect(value.initializer!.bytes).toEqual(values.get(value.name)!.initializer!.bytes);
  });

  test("a block that cannot be improved stays as it was", async () => {
    const { model, plan, context } = await setUp();
    // One step that is far too long turns every rounding at random.
    const options = { iterations: 1, start: "nearest", learningRate: 10 } as const;
    const result = await applyReconstruction(model, plan, context, options);
    expect(result.report.edits).toBe(0);
    expect(
      errorsOf(result.report.notes).every(([before, after, verdict]) => after > before && verdict === "undone"),
    ).toBe(true);
    const scales = (of: Plan) => of.entries.flatMap((entry) => entry.encoding!.scale.map(Math.fround));
    expect(scales(result.plan)).toEqual(scales(plan));
    for (const { value, kind, encoding } of plan.entries) {
      if (kind !== "weight") continue;
      const [given, after] = [model, result.model].map((m) => m.graph.valuesByName().get(value)!.initializer!);
      expect(after!.floats()).toEqual(quantizeDequantize(given!, encoding!).floats());
    }
  });

  test("is interrupted between two steps, and goes on behind the last block, byte for byte", async () => {
    const { model, plan, context } = await setUp();
    const abort = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ step, done }: { step: string; done: number }) => {
      if (step !== "reconstruction") return;
      seen.push(done);
      if (done === 37) abort.abort();
    };
    const saved = new Map<string, Uint8Array>();
    const checkpoint: Checkpoint = {
      load: async (key) => saved.get(key),
      save: async (key, bytes) => void saved.set(key, bytes),
    };
    const options = { iterations: 15, start: "nearest" } as const;
    const stopped = { ...context, signal: abort.signal, onProgress, checkpoint };
    await expect(applyReconstruction(model, plan, stopped, options)).rejects.toMatchObject({
      code: "abort/interrupted",
    });
    expect(seen).toEqual(Array.from({ length: 37 }, (_, i) => i + 1));
    expect([...saved.keys()]).toEqual(["block-0", "block-1"]);
    const whole = await applyReconstruction(model, plan, context, options);
    seen.length = 0;
    const resumed = await applyReconstruction(model, plan, { ...context, onProgress, checkpoint }, options);
    expect(seen).toEqual(Array.from({ length: 15 }, (_, i) => i + 31));
    expect(resumed.plan).toEqual(whole.plan);
    expect(resumed.report.notes).toEqual(whole.report.notes);
    const values = resumed.model.graph.valuesByName();
    for (const value of whole.model.graph.initializers)
      expect(value.initializer!.bytes).toEqual(values.get(value.name)!.initializer!.bytes);
  });
});
