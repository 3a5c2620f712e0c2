/** What a stock session refuses is told before calibration; what it takes goes on. */
import { expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { seededFeeds } from "../../test/same-outputs.ts";
import { AvocetError } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime, type Runtime } from "../runtime/inner.ts";
import { parseRecipe, quantizeModel, trainModel } from "./inner.ts";

const model = parseModel(
  `<ir_version: 8, opset_import: ["" : 17]> f (float[N,8,6,6] x) => (float[N,4] y)
     <float[8,8,3,3] w, float[8] b, float[4,8] g, float[4] c> {
   a = Conv(x, w, b)
   r = Relu(a)
   p = GlobalAveragePool(r)
   f = Flatten(p)
   y = Gemm <transB = 1> (f, g, c) }`,
  { seed: 2 },
);
const feeds = seededFeeds(model, { dims: { N: 120 } });

/** A runtime that refuses what holds a quantizer, when it is opened or when it runs; and how many samples were read until then. */
function refusing(runtime: Runtime, when: "load" | "run"): Runtime {
  const refuse = () => {
    throw new AvocetError(`runtime/${when}`, "ONNX Runtime says: no kernel", { at: "Conv a", hint: "none" });
  };
  return new Proxy(runtime, {
    get(target, key) {
      if (key !== "open") return Reflect.get(target, key);
      return async (given: Parameters<Runtime["open"]>[0], options?: Parameters<Runtime["open"]>[1]) => {
        const quantized =
          typeof given === "object" &&
          "graph" in given &&
          [...given.graph.nodes].some((n) => n.op === "QuantizeLinear");
        if (quantized && when === "load") refuse();
        const session = await target.open(given, options);
        if (!quantized) return session;
        return new Proxy(session, {
          get(own, name) {
            const member = name === "run" ? refuse : Reflect.get(own, name, own);
            return typeof member === "function" ? member.bind(own) : member;
          },
        });
      };
    },
  });
}

function counted(data: Dataset): { data: Dataset; read: () => number } {
  let read = 0;
  const watched: Dataset = {
    count: data.count,
    source: data.source,
    async *batches(size, signal) {
      for await (const batch of data.batches(size, signal)) {
        read += batch.size;
        yield batch;
      }
    },
  };
  return { data: watched, read: () => read };
}

test.each(["load", "run"] as const)(
  "a file that would not %s is refused after a sample, with node and way out",
  async (when) => {
    const runtime = refusing(await openRuntime(), when);
    for (const preset of ["fast", "standard", "best"] as const) {
      const { data, read } = counted(arrayData(feeds));
      await expect(quantizeModel(model, data, parseRecipe({ preset }), runtime)).rejects.toThrow(
        expect.objectContaining({
          code: `runtime/${when}`,
          detail: expect.objectContaining({ at: "Conv a", hint: expect.stringContaining("--float") }),
        }),
      );
      // The few samples that tracing and the draft take; calibration alone reads 120.
      expect(read()).toBeLessThan(20);
    }
  },
);

test("training is refused as early", async () => {
  const runtime = refusing(await openRuntime(), "load");
  const { data, read } = counted(arrayData(feeds));
  await expect(
    trainModel(model, data, parseRecipe({ preset: "fast", training: { epochs: 1 } }), runtime),
  ).rejects.toThrow(expect.objectContaining({ code: "runtime/load" }));
  expect(read()).toBeLessThan(20);
});

test("grids without a quantizer are refused before the model is touched, and the data never read", async () => {
  const runtime = await openRuntime();
  for (const [recipe, code] of [
    [{ weights: "int32" }, "quant/unsupported-grid"],
    [{ activations: "int32" }, "quant/unsupported-grid"],
    [{ activations: "float4e2m1" }, "quant/unsupported-grid"],
    [{ weights: "int17" }, "quant/unknown-grid"],
  ] as const) {
    for (const preset of ["fast", "data-free"] as const) {
      const { data, read } = counted(arrayData(feeds));
      await expect(quantizeModel(model, data, parseRecipe({ ...recipe, preset }), runtime)).rejects.toThrow(
        expect.objectContaining({ code }),
      );
      expect(read()).toBe(0);
    }
  }
});

test("weights that get no blocks, or not the form, are in the report of the step that places", async () => {
  const runtime = await openRuntime();
  const mixed = parseModel(
    `<ir_version: 8, opset_import: ["" : 17]> f (float[N,6,6,6] x) => (float[N,8,2,2] y) <float[8,6,3,3] w, float[8,8,3,3] v> {
     a = Conv(x, w)
     y = Conv(a, v) }`,
    { seed: 2 },
  );
  const recipe = parseRecipe({ preset: "fast", weights: "int4", granularity: "block:4" });
  const { steps } = await quantizeModel(mixed, arrayData(seededFeeds(mixed, { dims: { N: 4 } })), recipe, runtime);
  expect(steps.find(({ step }) => step === "place")?.notes).toEqual([
    "w: a scale per channel: blocks of 4 do not divide 6 inputs",
  ]);
  const form = parseRecipe({ preset: "fast", form: "weight-only", granularity: "block:8" });
  const packed = await quantizeModel(mixed, arrayData(seededFeeds(mixed, { dims: { N: 4 } })), form, runtime);
  expect(packed.steps.find(({ step }) => step === "place")?.notes).toEqual([
    "w: a scale per channel: blocks of 8 do not divide 6 inputs, not stored for MatMulNBits: not only MatMul and Gemm read it",
    "v: not stored for MatMulNBits: not only MatMul and Gemm read it",
  ]);
  const three = parseRecipe({ preset: "fast", form: "dynamic", weights: "int3" });
  const whole = await quantizeModel(mixed, arrayData(seededFeeds(mixed, { dims: { N: 4 } })), three, runtime);
  expect(whole.steps.find(({ step }) => step === "place")?.notes).toEqual([
    "w: not stored for products with dynamic int8: they take 8 bits",
    "v: not stored for products with dynamic int8: they take 8 bits",
  ]);
});
