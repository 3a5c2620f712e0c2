/**
 * Every grid that a storage form can hold × the form and Q/DQ × targets, through the command line: quantize, verify in both runtimes, and
 * the report, whose table of layers and kernels know what the form wrote.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { parseModel } from "../src/ir/inner.ts";
import { targetFile } from "../src/quant/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocet, avocetJson, type Workshop, workshop } from "./command-line.ts";

/** A network on rows: three products, one of which has an Add behind it, and a Gemm with a bias. */
const text = `<ir_version: 8, opset_import: ["" : 17]> rows (float[N,32] x) => (float[N,5] y)
  <float[32,64] w1, float[64] b1, float[64,64] w2, float[64,32] w3, float[5,32] w4, float[5] b4> {
    [first] m1 = MatMul(x, w1)
    [bias] a1 = Add(m1, b1)
    [relu] r1 = Relu(a1)
    [second] m2 = MatMul(r1, w2)
    [tanh] t2 = Tanh(m2)
    [third] m3 = MatMul(t2, w3)
    [last] y = Gemm <transB = 1> (m3, w4, b4) }`;
const packed = ["first", "second", "third", "last"];

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  await shop.model("rows.onnx", parseModel(text, { seed: 6 }));
  const random = new Random(2);
  const numbers = Float32Array.from({ length: 60 * 32 }, () => random.normal());
  shop.npy("rows.npy", Tensor.float32([60, 32], numbers));
});
afterAll(() => shop[Symbol.dispose]());

/** A built-in target with weights in blocks, floats between them, and perhaps the form. */
function targetOf(base: string, weights: string, storage: string | undefined): string {
  const file = targetFile(base);
  const own = { ...file.avocet, weights, activations: "float32", weight_block: 16, ...(storage ? { storage } : {}) };
  return shop.write(`${base} ${weights} ${storage}.json`, JSON.stringify({ ...file, avocet: own }));
}

async function quantized(name: string, target: string, command = "quantize", more: readonly string[] = []) {
  const folder = shop.at(name);
  const args = [command, shop.at("rows.onnx"), "--data", shop.at("rows.npy"), "-o", folder, "--target", target];
  const run = await avocetJson([...args, ...more]);
  expect(run.json.error).toBeUndefined();
  expect(run.code).toBe(0);
  return folder;
}

const grids = ["int2", "uint2", "int4", "uint4", "int8", "uint8"];
const bases = ["aimet-default", "ort-cpu", "htp-v73"];

describe.each(grids)("weights %s", (weights) => {
  test.each(bases)(
    "%s",
    async (base) => {
      const folders: Record<string, string> = {};
      for (const storage of [undefined, "matmulnbits"]) {
        const name = `${base} ${weights} ${storage ?? "qdq"}`;
        folders[storage ?? "qdq"] = await quantized(name, targetOf(base, weights, storage), "quantize", [
          "--preset",
          "fast",
        ]);
        const report = shop.json(name, "report.json");
        expect(report.unjudged).toEqual([]);
        const layers = new Map<string, { kernel: string; bytes: number; weight: string }>(
          report.layers.map((layer: { name: string }) => [layer.name, layer]),
        );
        for (const layer of packed) {
          expect(layers.get(layer)!.weight).toBe(weights);
          expect(layers.get(layer)!.bytes).toBeGreaterThan(0);
          if (storage) expect(layers.get(layer)!.kernel).toBe("MatMulNBits (float)");
        }
        const nodes = [...readModelFile(`${folders[storage ?? "qdq"]}/model.onnx`).graph.nodes];
        expect(nodes.filter(({ op }) => op === "MatMulNBits").map((node) => node.name)).toEqual(storage ? packed : []);
        for (const runtime of ["ort-node", "ort-web"]) {
          const { code, json } = await avocetJson(["verify", folders[storage ?? "qdq"]!, "--runtime", runtime]);
          expect(code).toBe(0);
          expect(json.unjudged).toEqual([]);
          // The stock session computes what was simulated. What Q/DQ leaves to the native build is rounded to int8 as it runs.
          if (storage) expect(json.outputs[0].sqnr.simulation ?? Number.POSITIVE_INFINITY).toBeGreaterThan(90);
          const reasons = json.floatKernels.filter(({ node }: { node: string }) => node.includes("MatMulNBits"));
          expect(reasons.map(({ reason }: { reason: string }) => reason)).toEqual(
            storage ? Array(packed.length).fill(expect.stringContaining("stays packed")) : [],
          );
          const rounded = json.warnings.filter(({ text }: { text: string }) =>
            text.includes("rounds the float inputs"),
          );
          if (storage) expect(rounded).toEqual([]);
        }
      }
      // The same integers and the same scales: AIMET's tools read the same encodings, and the outputs are the same numbers.
      const [qdq, form] = [folders.qdq!, folders.matmulnbits!];
      const encodings = (folder: string) => readFileSync(`${folder}/model.encodings`, "utf8");
      expect(encodings(form)).toBe(encodings(qdq));
      const same = await avocetJson(["compare", qdq, form, "--data", shop.at("rows.npy")]);
      expect(same.json.outputs[0].sqnr ?? Number.POSITIVE_INFINITY).toBeGreaterThan(90);
    },
    120_000,
  );
});

test("methods and training decide the weights that the form then holds", async () => {
  const target = targetOf("aimet-default", "int4", "matmulnbits");
  const fast = await quantized("fast", target, "quantize", ["--preset", "fast"]);
  const best = await quantized("best", target, "quantize", ["--preset", "best"]);
  const trained = await quantized("trained", target, "train", ["--epochs", "2", "--preset", "fast"]);
  const sqnr = async (folder: string) =>
    (await avocetJson(["compare", shop.at("rows.onnx"), folder, "--data", shop.at("rows.npy")])).json.outputs[0].sqnr;
  for (const folder of [fast, best, trained]) {
    const nodes = [...readModelFile(`${folder}/model.onnx`).graph.nodes];
    expect(nodes.filter(({ op }) => op === "MatMulNBits").map((node) => node.name)).toEqual(packed);
  }
  expect(await sqnr(best)).toBeGreaterThan((await sqnr(fast)) + 1);
  expect((await avocet(["verify", trained])).code).toBe(0);
}, 120_000);

describe("--form weight-only", () => {
  const tokens = `<ir_version: 8, opset_import: ["" : 17]> tokens (int64[N,6] ids) => (float[N,6,32] y)
    <float[100,64] table, float[64,64] w1, float[64] b1, float[64,32] w2> {
      [embed] e = Gather(table, ids)
      [first] m = MatMul(e, w1)
      [bias] a = Add(m, b1)
      [tanh] t = Tanh(a)
      [last] y = MatMul(t, w2) }`;
  const make = async (name: string, ...options: string[]) => {
    await shop.model("tokens.onnx", parseModel(tokens, { seed: 8 }));
    const random = new Random(3);
    const ids = BigInt64Array.from({ length: 240 }, () => BigInt(random.integer(100)));
    shop.npy("ids.npy", Tensor.int64([40, 6], [...ids]));
    const args = ["quantize", shop.at("tokens.onnx"), "--data", shop.at("ids.npy"), "-o", shop.at(name)];
    const run = await avocetJson([...args, ...options]);
    return { ...run, ops: () => [...readModelFile(shop.at(name, "model.onnx")).graph.nodes].map(({ op }) => op) };
  };

  test.each([
    ["int4 in blocks of 32", []],
    ["what is asked for instead", ["--weights", "int8", "--granularity", "block:16", "--grid", "embed=w4"]],
  ] as const)("%s", async (name, options) => {
    const made = await make(name, "--form", "weight-only", "--preset", "fast", ...options);
    expect(made.code, JSON.stringify(made.json)).toBe(0);
    expect(made.ops()).toEqual(["GatherBlockQuantized", "MatMulNBits", "Add", "Tanh", "MatMulNBits"]);
    const { entries } = shop.json(name, "plan.json");
    const bits = entries.map(({ value, grid }: { value: string; grid: { bits: number } }) => [value, grid.bits]);
    expect(bits).toEqual([["table", 4], ["w1", options.length ? 8 : 4], ["w2", options.length ? 8 : 4]]); // biome-ignore format: one line
    const { layers } = shop.json(name, "report.json");
    expect(layers[0]).toMatchObject({ name: "embed", op: "Gather", weight: "int4" });
    for (const runtime of ["ort-node", "ort-web"]) {
      const { code, json } = await avocetJson(["verify", shop.at(name), "--runtime", runtime]);
      expect(code).toBe(0);
      expect(json.outputs[0].sqnr.simulation ?? Number.POSITIVE_INFINITY).toBeGreaterThan(90);
    }
  });

  test("methods decide the weights in blocks: they are nearer to float than the nearest ones", async () => {
    const sqnr = async (name: string, ...options: string[]) => {
      await make(name, "--form", "weight-only", ...options);
      const args = ["compare", shop.at("tokens.onnx"), shop.at(name), "--data", shop.at("ids.npy")];
      return (await avocetJson(args)).json.outputs[0].sqnr;
    };
    // All of them round the table to nearest, so that only the weights tell them apart.
    const nearest = await sqnr("nearest", "--preset", "fast");
    for (const method of ["gptq", "adaround:iterations=0", "seqmse"]) {
      const found = await sqnr(`by ${method.slice(0, 4)}`, "--method", method);
      expect(found, method).toBeGreaterThan(nearest);
    }
  });

  test("--form qdq takes away what the target asks for", async () => {
    const target = targetOf("aimet-default", "int4", "matmulnbits");
    const made = await make("without", "--target", target, "--form", "qdq", "--preset", "fast");
    expect(made.ops()).not.toContain("MatMulNBits");
  });
});

describe("--form dynamic", () => {
  const integer = ["MatMulInteger", "MatMulInteger", "MatMulInteger", "MatMulInteger"];
  const opsOf = (name: string) =>
    [...readModelFile(shop.at(name, "model.onnx")).graph.nodes]
      .map(({ op }) => op)
      .filter((op) => op === "MatMulInteger");

  test.each(["ort-cpu", "aimet-default"])("%s: all products on integer kernels, in both runtimes", async (target) => {
    const name = `dynamic ${target}`;
    const folder = await quantized(name, target, "quantize", ["--form", "dynamic", "--preset", "fast"]);
    expect(opsOf(name)).toEqual(integer);
    const report = shop.json(name, "report.json");
    expect(report.layers.filter(({ weight }: { weight: string | null }) => weight === "int8")).toHaveLength(4);
    for (const { weight, kernel } of report.layers) if (weight) expect(kernel).toBe("DynamicQuantizeMatMul");
    for (const runtime of ["ort-node", "ort-web"]) {
      const { code, json } = await avocetJson(["verify", folder, "--runtime", runtime]);
      expect(code).toBe(0);
      expect(json.outputs[0].sqnr.simulation ?? Number.POSITIVE_INFINITY).toBeGreaterThan(60);
    }
    const sqnr = async (which: string) =>
      (await avocetJson(["compare", shop.at("rows.onnx"), which, "--data", shop.at("rows.npy")])).json.outputs[0].sqnr;
    // Ranges of the batch as it comes are about those that calibration saw in all of the data, and less is quantized.
    const fixed = await quantized(`static ${target}`, target, "quantize", [
      "--preset",
      "fast",
      "--calibration",
      "minmax",
    ]);
    expect(await sqnr(folder)).toBeGreaterThan((await sqnr(fixed)) - 3);
  });

  test("needs no data", async () => {
    const args = ["quantize", shop.at("rows.onnx"), "-o", shop.at("undated"), "--form", "dynamic"];
    expect((await avocetJson([...args, "--preset", "data-free"])).code).toBe(0);
    expect(opsOf("undated")).toEqual(integer);
  });
});

test.each(["weight-only", "dynamic"])("--form %s next to activations of integers is refused", async (form) => {
  const args = ["quantize", shop.at("rows.onnx"), "--data", shop.at("rows.npy"), "-o", shop.at("refused")];
  const { json } = await avocetJson([...args, "--form", form, "--activations", "uint8"]);
  expect(json.error).toMatchObject({ code: "recipe/invalid", message: expect.stringContaining(`the form ${form}`) });
});
