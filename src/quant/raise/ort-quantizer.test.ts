/**
 * Files of ONNX Runtime's own quantizer (tools/ort_quantizer_goldens.py) become model and plan, and lowered again they have the outputs of the file:
 * the oracle is ONNX Runtime on the file as it is.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, type SessionOptions, simulationOf } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { builtinTarget, entriesByValue, lower, place } from "../inner.ts";
import { planFromJson, planToJson } from "../inner-files.ts";
import { raise } from "./raise.ts";

const runtime = await openRuntime();
const folder = fileURLToPath(new URL("../../../test/goldens/ort-quantizer/", import.meta.url));
const file = (name: string) => readModelFile(`${folder}${name}.onnx`);
const names = readdirSync(folder).map((name) => name.replace(/\.onnx$/, ""));
const unread = ["lookup.dynamic-optimized"];

function feedsOf(model: Model): Feeds {
  const feeds = seededFeeds(model);
  return "i" in feeds ? { i: Tensor.int64([2, 5], [0, 3, 19, 7, 7, 1, 2, 12, 5, 11]) } : feeds;
}

async function outputs(model: Model, options: SessionOptions = {}): Promise<Record<string, Float32Array>> {
  await using session = await runtime.open(model, { ...options, threads: 1 });
  const found = await session.run(feedsOf(model));
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.floats()]));
}

/** The largest difference, as a share of the range. */
function apart(a: Float32Array, b: Float32Array): number {
  const range = Math.max(...a) - Math.min(...a);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / range));
}

describe.each(names.filter((name) => !unread.includes(name)))("%s", (name) => {
  test("is model and plan, with the outputs of the file in a stock session and simulated", async () => {
    const theirs = file(name);
    const before = await outputs(theirs);
    const { model, plan } = raise(theirs);
    expect([...model.graph.nodes].filter(({ op }) => /Quantize|Integer|QLinear|QGemm/.test(op))).toEqual([]);
    expect(plan.entries.length).toBeGreaterThan(0);
    const again = lower(model, planFromJson(planToJson(plan))).model;
    // Without `exactProducts` a session rounds the inputs of products whose weights alone are integers (docs/onnx-runtime.md).
    const [stock, simulated] = [
      await outputs(again, { exactProducts: true }),
      await outputs(again, simulationOf(again)),
    ];
    for (const [output, numbers] of Object.entries(before)) {
      // The stock session has the kernels of the file again; float32 sums may have another order.
      expect(apart(numbers, stock[output]!)).toBeLessThan(1e-6);
      // A product of floats next to a tie may be rounded to the other side, which is a step of at most 1/255 of each grid on the way.
      expect(apart(numbers, simulated[output]!)).toBeLessThan(2 / 255);
    }
  });
});

describe("what is read", () => {
  test("has the names of the float model, its Relus, and entries for what the file quantizes", () => {
    const { model, plan, notes } = raise(file("convolutions.static"));
    const entries = entriesByValue(plan);
    expect([...entries.keys()]).toEqual(expect.arrayContaining(["x", "w", "d", "v", "g"]));
    expect(entries.get("w")).toMatchObject({ kind: "weight", granularity: { kind: "channel", axis: 0 } });
    expect(entries.get("b")).toMatchObject({ kind: "bias", scaleFrom: { input: "x", weight: "w" } });
    const operators = [...model.graph.nodes].map(({ op }) => op);
    expect(operators).toEqual("Conv Relu Conv Conv Add MaxPool AveragePool GlobalAveragePool Flatten Gemm".split(" "));
    expect(notes).toEqual(["1 × Relu was written where the grid of a product or sum begins at zero"]);
  });

  test("keeps the form of dynamic files", () => {
    const { plan } = raise(file("arithmetic.dynamic"));
    expect(plan.entries.map(({ value, storage }) => [value, storage])).toEqual([
      ["w", "dynamicint8"],
      ["v", "dynamicint8"],
    ]);
    expect(raise(file("recurrent.dynamic")).plan.entries.map(({ storage }) => storage)).toEqual([
      "dynamicquantizelstm",
      "dynamicquantizelstm",
    ]);
  });

  test("of a quantized table is what its rows are: constant scales need no rounding as the model runs", () => {
    const { plan } = raise(file("lookup.dynamic"));
    expect(plan.entries.map(({ value, storage }) => [value, storage])).toEqual(
      expect.arrayContaining([
        ["e", undefined],
        ["w", undefined],
      ]),
    );
  });
});

describe("what is not understood", () => {
  test("is said with the way out: two scales that a session has multiplied", () => {
    expect(() => raise(file("lookup.dynamic-optimized"))).toThrow(/got 1 × MatMulInteger[\s\S]*/);
  });

  test("has the same remedy from every command that wants a float model", () => {
    const attention = parseModel(
      `<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> f (float[1,4,8] x) => (float[1,4,8] y) <int8[8,24] w, float[24] b, float s = {0.1}> {
        m = MatMul(x, x) y = com.microsoft.QAttention <num_heads = 2> (x, w, b, s, s) }`,
      { seed: 1 },
    );
    const hintOf = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return (error as { detail?: { hint?: string } }).detail?.hint;
      }
      return "nothing was thrown";
    };
    const said = "no command reads QAttention: take the float model that the file was made from";
    expect(hintOf(() => raise(attention))).toBe(said);
    expect(hintOf(() => place(attention, builtinTarget("ort-cpu"), { shapes: new Map() }))).toBe(said);
    const known = "`avocet import FILE -o plan.json` makes a float model and a plan of it";
    expect(hintOf(() => place(file("convolutions.static"), builtinTarget("ort-cpu"), { shapes: new Map() }))).toMatch(
      known,
    );
  });
});
