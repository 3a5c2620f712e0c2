/** Half precision from the command line: models in it are widened, forms with fp16 write it, and numbers that do not fit stay in float32. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

const text = `<ir_version: 10, opset_import: ["" : 21]> net (float[N,64] x) => (float[N,8] y)
  <float[64,64] w, float[64] b, float[64,64] v, float[64,8] u, float big = {30000}, float small = {0.001}> {
    m = MatMul(x, w) a = Add(m, b) r = Relu(a)
    g = Mul(r, big) e = Sqrt(g) t = Mul(e, small)
    [second] n = MatMul(t, v) s = Sigmoid(n)
    [last] y = MatMul(s, u) }`;

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  const random = new Random(3);
  shop.npy(
    "x.npy",
    Tensor.float32(
      [40, 64],
      Float32Array.from({ length: 40 * 64 }, () => random.normal()),
    ),
  );
  await shop.model("net.onnx", parseModel(text, { seed: 4 }));
  await shop.model(
    "half.onnx",
    parseModel(text.replaceAll("float[", "float16[").replaceAll("float ", "float16 "), { seed: 4 }),
  );
});
afterAll(() => shop[Symbol.dispose]());

const made = (name: string): Model => readModelFile(shop.at(`${name}/model.onnx`));
const quantize = (model: string, name: string, ...rest: string[]) =>
  avocetJson(["quantize", shop.at(model), "-o", shop.at(name), "--quiet", ...rest]);
const fed = (model: string, name: string, ...rest: string[]) =>
  quantize(model, name, "--data", shop.at("x.npy"), ...rest);
const types = ({ graph }: Model) => [...graph.initializers].map(({ initializer }) => initializer!.dtype);

describe("--form fp16", () => {
  test("halves the file, and keeps in float32 what overflows", async () => {
    const run = await fed("net.onnx", "fp16", "--form", "fp16");
    expect(run.code, run.err).toBe(0);
    expect(run.json.bytes.quantized / run.json.bytes.float).toBeLessThan(0.6);
    expect(run.json.outputs[0].sqnr).toBeGreaterThan(45);
    expect(run.json.warnings.map(({ kind }: { kind: string }) => kind)).not.toContain("mostly-float");
    const report = shop.json("fp16", "report.json");
    const step = report.steps.find((one: { step: string }) => one.step === "half-precision");
    expect(step.edits).toBe(6);
    expect(step.notes.join("\n")).toMatch(/g stays in float32: g reaches .*half precision ends at 65504/);
    expect(shop.json("fp16", "plan.json").half.float.map((one: { value: string }) => one.value)).toEqual(["g", "e"]);
    expect(types(made("fp16")).filter((dtype) => dtype === "float16")).toHaveLength(4);
  });

  test.each(["ort-node", "ort-web"])("is verified in %s", async (runtime) => {
    const run = await avocetJson(["verify", shop.at("fp16"), "--data", shop.at("x.npy"), "--runtime", runtime]);
    expect(run.code, run.err).toBe(0);
    expect(run.json.outputs[0].sqnr.simulation ?? Number.POSITIVE_INFINITY).toBeGreaterThan(50);
    expect(run.json.outputs[0].sqnr.float).toBeGreaterThan(45);
  });

  test("takes half precision at its ports, and is judged on the same data", async () => {
    const run = await fed("net.onnx", "ports", "--form", "fp16", "--ports", "float16");
    expect(run.code, run.err).toBe(0);
    const { graph } = made("ports");
    expect([...graph.inputs, ...graph.outputs].map(({ type }) => type)).toMatchObject([
      { dtype: "float16" },
      { dtype: "float16" },
    ]);
    expect(run.json.outputs[0].sqnr).toBeGreaterThan(45);
  });

  test("needs no data", async () => {
    const run = await quantize("net.onnx", "free", "--form", "fp16", "--preset", "data-free");
    expect(run.code, run.err).toBe(0);
    expect(types(made("free"))).not.toContain("float32");
  });

  test("leaves what --float names", async () => {
    const run = await fed("net.onnx", "named", "--form", "fp16", "--float", "last");
    expect(run.code, run.err).toBe(0);
    const { half } = shop.json("named", "plan.json");
    expect(half.float).toContainEqual({ value: "y", reason: "you asked for last to stay in float" });
  });

  test("is a plan that can be edited and given back", async () => {
    const plan = shop.json("fp16", "plan.json");
    plan.half.float.push({ value: "y", reason: "by hand" });
    shop.write("edited.json", JSON.stringify(plan));
    const run = await fed("net.onnx", "edited", "--plan", shop.at("edited.json"));
    expect(run.code, run.err).toBe(0);
    expect(types(made("edited")).filter((dtype) => dtype === "float16")).toHaveLength(3);
  });
});

test("--form weight-only+fp16 packs weights between half precision", async () => {
  const run = await fed("net.onnx", "q4f16", "--form", "weight-only+fp16", "--weights", "int8");
  expect(run.code, run.err).toBe(0);
  const nodes = [...made("q4f16").graph.nodes];
  const products = nodes.filter(({ op }) => op === "MatMulNBits");
  expect(products).toHaveLength(3);
  expect(products.map((node) => node.input(2)!.initializer!.dtype)).toEqual(["float16", "float16", "float16"]);
  expect(run.json.outputs[0].sqnr).toBeGreaterThan(30);
});

test("--form qdq+fp16 quantizes for the target, and the rest is half", async () => {
  const run = await fed("net.onnx", "mixed", "--form", "qdq+fp16", "--float", "second");
  expect(run.code, run.err).toBe(0);
  expect(types(made("mixed"))).toContain("int8");
});

test("--form bf16 stores bfloat16 and rounds to it", async () => {
  const run = await fed("net.onnx", "bf16", "--form", "bf16", "--target", "aimet-default");
  expect(run.code, run.err).toBe(0);
  expect(types(made("bf16"))).toContain("bfloat16");
});

describe("a model in half precision", () => {
  test("is widened, quantized and judged, and the report says so", async () => {
    const run = await fed("half.onnx", "widened");
    expect(run.code, run.err).toBe(0);
    expect(made("widened").graph.inputs[0]!.type).toMatchObject({ dtype: "float32" });
    expect(run.json.outputs[0].sqnr).toBeGreaterThan(20);
    const report = shop.json("widened", "report.json");
    expect(JSON.stringify(report.steps)).toMatch(/the model is in float16: it was widened to float32/);
  });

  test("is written back as half where that is asked for", async () => {
    const run = await fed("half.onnx", "back", "--form", "fp16", "--ports", "float16");
    expect(run.code, run.err).toBe(0);
    const { graph } = made("back");
    expect(graph.inputs[0]!.type).toMatchObject({ dtype: "float16" });
    expect(run.json.outputs[0].sqnr).toBeGreaterThan(45);
  });
});

test("ports in half precision need a form with it", async () => {
  const run = await avocet([
    "quantize",
    shop.at("net.onnx"),
    "-o",
    shop.at("no"),
    "--data",
    shop.at("x.npy"),
    "--ports",
    "float16",
  ]);
  expect(run.code).toBe(2);
  expect(run.err).toMatch(/expected a form with fp16/);
});
