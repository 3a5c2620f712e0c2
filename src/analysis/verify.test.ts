/** Verification, on a runtime that is made to compute one layer otherwise when it optimises. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { type Dataset, fromArray } from "../data/inner.ts";
import { readModelFile, writeModelFile } from "../formats/inner-node.ts";
import { cloneModel, type Model, parseModel } from "../ir/inner.ts";
import { builtinTarget, calibrate, lower, place } from "../quant/inner.ts";
import { openRuntime, type Runtime, type SessionOptions, traceShapes } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { evaluate, layerDifferences, type Metric, type VerifyOptions, verify } from "./inner.ts";

const random = new Random(8);
const numbers = (n: number) => Float32Array.from({ length: n }, () => random.normal());
const folder = mkdtempSync(join(tmpdir(), "avocet-verify-"));
const [floatPath, shippedPath] = [join(folder, "float.onnx"), join(folder, "shipped.onnx")];
let real: Runtime;
let data: Dataset;
let shipped: Model;

beforeAll(async () => {
  real = await openRuntime();
  data = fromArray("x", [6, 8, 8, 8], numbers(6 * 512));
  const float = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[N,8,8,8] x) => (float[N,5,8,8] y) <float[16,8,3,3] w1, float[5,16,1,1] w2> {
      [first] c = Conv <pads = [1,1,1,1]> (x, w1)
      [act] r = Relu(c)
      [second] y = Conv(r, w2) }`,
    { seed: 4 },
  );
  for await (const { feeds } of data.batches(1)) {
    const plan = place(float, builtinTarget("ort-cpu"), { shapes: await traceShapes(float, real, feeds) });
    shipped = lower(float, (await calibrate(float, plan, real, data, { scheme: "minmax" })).plan).model;
    break;
  }
  await writeModelFile(float, floatPath);
  await writeModelFile(shipped, shippedPath);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Doubles the scale of a layer's quantized weight. */
function spoiled(model: Model, layer: string): Model {
  const copy = cloneModel(model);
  const node = [...copy.graph.nodes].find(({ name }) => name === layer)!;
  const scale = node.input(1)!.producer!.input(1)!;
  scale.initializer = Tensor.float32(
    scale.initializer!.shape,
    scale.initializer!.floats().map((s) => 2 * s),
  );
  return copy;
}

/** Opens as the real one does, but for stock sessions of the quantized model, which it spoils. */
function faulty(layer: string, opened: SessionOptions[] = []): Runtime {
  return {
    name: real.name,
    version: real.version,
    providers: real.providers,
    open(source, options = {}) {
      opened.push(options);
      const model = typeof source === "string" ? readModelFile(source) : (source as Model);
      const quantized = [...model.graph.nodes].some(({ op }) => op === "DequantizeLinear");
      if (!quantized || options.fuseQdq === false) return real.open(source, options);
      return real.open(spoiled(model, layer), { ...options, fuseQdq: false });
    },
  };
}

describe("layer differences", () => {
  test("name the layer that differs, and no other, whatever follows it", async () => {
    const found = await layerDifferences(shipped, faulty("first"), data);
    expect(found.map(({ layer }) => layer)).toEqual(["Conv first"]);
    expect(found[0]!.differing).toBeGreaterThan(0.1);
    expect(found[0]!.maxSteps).toBeGreaterThan(1);
    expect((await layerDifferences(shipped, faulty("second"), data)).map(({ layer }) => layer)).toEqual([
      "Conv second",
    ]);
  });

  test("on the real runtime, a step of rounding at most", async () => {
    // Integer kernels requantize with one multiplication in float32 where the simulation adds in float32.
    for (const { maxSteps } of await layerDifferences(shipped, real, data)) expect(maxSteps).toBeLessThanOrEqual(1);
  });
});

describe("verify", () => {
  const file = (path: string) => ({ model: readModelFile(path), file: path, bytes: 100 });

  test("simulation compares a stock session with the same file without integer kernels", async () => {
    const opened: SessionOptions[] = [];
    const found = await verify(file(shippedPath), file(floatPath), faulty("second", opened), data, { threads: 1 });
    expect(opened.slice(0, 3)).toEqual([{ threads: 1 }, { fuseQdq: false, threads: 1 }, { threads: 1 }]);
    // Weights of the last layer doubled: the same winner, apart from ties.
    expect(found.samples).toBe(6);
    expect(found.differences.map(({ layer }) => layer)).toEqual(["Conv second"]);
  });

  test("without a class axis pixels are numbers, with one decisions; both files are timed", async () => {
    const numbers = await verify(file(shippedPath), file(floatPath), real, data);
    expect(numbers.agreement).toMatchObject({ simulation: null, float: null, of: null });
    expect(numbers.agreement.why).toEqual(["y: no Softmax ends it, and nobody says which axis holds classes"]);
    expect(numbers.outputs).toMatchObject([{ name: "y", holds: "scores", equal: { simulation: null, float: null } }]);
    expect(numbers.outputs[0]!.sqnr.float).toBeGreaterThan(20);
    const classes = { classAxis: 1 };
    const found = await verify(file(shippedPath), file(floatPath), real, data, classes);
    expect(found.agreement).toMatchObject({ of: "pixels", interval: [expect.any(Number), expect.any(Number)] });
    expect(found.agreement.simulation).toBeGreaterThan(0.98); // a step of rounding turns a near tie here and there
    expect(found.agreement.float).toBeGreaterThan(0.9);
    expect(found.latencyMs!.float).toBeGreaterThan(0);
    expect(found.latencyMs!.quantized).toBeGreaterThan(0);
    expect(found.bytes).toEqual({ float: 100, quantized: 100 });
    const spoilt = await verify(file(shippedPath), file(floatPath), faulty("first"), data, classes);
    expect(spoilt.agreement.simulation).toBeLessThan(found.agreement.simulation!);
  });

  test("a file that is slower than float is profiled, and the kernels that lose are named", async () => {
    const slow: Runtime = {
      ...real,
      open: async (source, options) => {
        const session = await real.open(source, options);
        if (source !== shippedPath) return session;
        const run = async (...of: Parameters<typeof session.run>) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return session.run(...of);
        };
        return {
          inputs: session.inputs,
          outputs: session.outputs,
          run,
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        };
      },
    };
    const profiled: unknown[] = [];
    const profile: VerifyOptions["profile"] = async (file, feeds, options) => {
      profiled.push([file, Object.keys(feeds), options]);
      return [{ node: "pool", op: file === floatPath ? "MaxPool" : "QLinearMaxPool", ms: file === floatPath ? 1 : 3 }];
    };
    const found = await verify(file(shippedPath), file(floatPath), slow, data, { profile, threads: 1 });
    expect(found.latencyMs!.losses).toEqual([{ kernel: "QLinearMaxPool", node: "pool", float: 1, quantized: 3 }]);
    expect(profiled).toEqual([floatPath, shippedPath].map((path) => [path, ["x"], { threads: 1 }]));
    const untold = await verify(file(shippedPath), file(floatPath), slow, data, { threads: 1 });
    expect(untold.latencyMs).not.toHaveProperty("losses");
  });

  test("three sessions are open at once, and one while single layers are compared: large models must fit", async () => {
    let open = 0;
    const perPhase: Record<string, number> = {};
    const counting: Runtime = {
      ...real,
      open: async (model, options) => {
        const session = await real.open(model, options);
        open++;
        const phase = typeof model === "string" ? "files" : "layers";
        perPhase[phase] = Math.max(perPhase[phase] ?? 0, open);
        return new Proxy(session, {
          get: (target, key) => {
            const found = Reflect.get(target, key, target);
            if (key === Symbol.asyncDispose) {
              return () => {
                open--;
                return target[Symbol.asyncDispose]();
              };
            }
            return typeof found === "function" ? found.bind(target) : found;
          },
        });
      },
    };
    const files = [
      { model: shipped, file: shippedPath, bytes: 1 },
      { model: readModelFile(floatPath), file: floatPath, bytes: 1 },
    ] as const;
    await verify(files[0], files[1], counting, data);
    expect(perPhase).toEqual({ files: 3, layers: 1 });
    expect(open).toBe(0);
  });

  test("a float model with other outputs is refused", async () => {
    const other = parseModel(
      '<ir_version: 10, opset_import: ["" : 21]> f (float[N,8,8,8] x) => (float[N,8,8,8] z) { z = Neg(x) }',
    );
    const path = join(folder, "other.onnx");
    await writeModelFile(other, path);
    await expect(verify(file(shippedPath), file(path), real, data)).rejects.toThrow(/have the output y/);
  });

  test("evaluation counts samples, and none is an error", async () => {
    const seen: number[] = [];
    const metric: Metric = { name: "m", unit: "", better: "lower", labels: "none", see: (_o, _f, { first, size }) => void seen.push(first, size), value: () => 0.5 }; // biome-ignore format: a row
    await using session = await real.open(shippedPath);
    expect(await evaluate(session, data, metric, { batch: 4 })).toMatchObject({
      metric: "m",
      unit: "",
      better: "lower",
      value: 0.5,
      samples: 6,
    });
    expect(seen).toEqual([0, 4, 4, 2]);
    const none: Dataset = { count: 0, source: "nothing", async *batches() {} };
    await expect(evaluate(session, none, metric)).rejects.toMatchObject({ code: "data/none" });
  });
});
