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

/** A network on rows: three products whose weights fit, one of which has an Add behind it, and a Gemm. */
const text = `<ir_version: 8, opset_import: ["" : 17]> rows (float[N,32] x) => (float[N,5] y)
  <float[32,64] w1, float[64] b1, float[64,64] w2, float[64,32] w3, float[5,32] w4, float[5] b4> {
    [first] m1 = MatMul(x, w1)
    [bias] a1 = Add(m1, b1)
    [relu] r1 = Relu(a1)
    [second] m2 = MatMul(r1, w2)
    [tanh] t2 = Tanh(m2)
    [third] m3 = MatMul(t2, w3)
    [last] y = Gemm <transB = 1> (m3, w4, b4) }`;
const packed = ["first", "second", "third"];

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
            storage ? Array(3).fill(expect.stringContaining("stays packed")) : [],
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
