/** Products of two activations next to a bias that 32 bits in steps of both scales do not hold, in files and in stock sessions. */
import { describe, expect, test } from "vitest";
import { outputsOf } from "../../../test/same-outputs.ts";
import { signalToNoise } from "../../../test/signal-to-noise.ts";
import { Random } from "../../base/inner.ts";
import { fromTensors } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../../tensor/inner.ts";
import { builtinTarget, calibrate, kernelReport, type Lowered, lower, type Plan, place } from "../inner.ts";
import { dequantizerOf, overflowsBias } from "./overflowing-bias.ts";

/** Both operands of each product are computed; what follows wants integers of it. */
const products: Record<string, string> = {
  Gemm: `(float[1,4,16] x, float[1,16,8] k) => (float[4,8] y) <int64[2] sa = {4,16}, int64[2] sb = {16,8}, float[8] c, float[8,8] w>
    { a = Reshape(x, sa) b = Reshape(k, sb) s = Gemm(a, b, c) y = MatMul(s, w) }`,
  "Gemm with factors": `(float[1,4,16] x, float[1,16,8] k) => (float[4,8] y) <int64[2] sa = {4,16}, int64[2] sb = {8,16}, float[8] c, float[8,8] w>
    { a = Reshape(x, sa) b = Reshape(k, sb) s = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (a, b, c) y = MatMul(s, w) }`,
  "MatMul and Add": `(float[1,4,16] x, float[1,16,8] k) => (float[1,4,8] y) <int64[2] sb = {16,8}, float[8] c, float[8,8] w>
    { b = Reshape(k, sb) m = MatMul(x, b) s = Add(m, c) y = MatMul(s, w) }`,
  Conv: `(float[1,4,16] x, float[1,16,8] k) => (float[1,8,4,4] y) <int64[4] sa = {1,4,4,4}, int64[4] sb = {8,4,2,2}, float[8] c, float[8,8,1,1] w>
    { a = Reshape(x, sa) b = Reshape(k, sb) s = Conv <pads = [0,0,1,1]> (a, b, c) y = Conv(s, w) }`,
};

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };
/** Numbers of this deviation: the products of small ones are nothing next to the bias, and 2³¹ of their steps still less than it. */
function feeds(deviation: number): Feeds {
  const random = new Random(3);
  const of = (...shape: number[]) =>
    Tensor.float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => deviation * random.normal()),
    );
  return { x: of(1, 4, 16), k: of(1, 16, 8) };
}

function parsed(text: string): Model {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]> g ${text}`, { seed: 3 });
  const c = model.graph.valuesByName().get("c")!;
  c.initializer = Tensor.float32(
    [8],
    Float32Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? 5 + i : -5 - i)),
  );
  return model;
}

async function quantized(model: Model, target: string, given: Feeds): Promise<{ plan: Plan; lowered: Lowered }> {
  const runtime = runtimes.node;
  const placed = place(model, builtinTarget(target), { shapes: await traceShapes(model, runtime, given) });
  const { plan } = await calibrate(model, placed, runtime, fromTensors(given), { scheme: "minmax" });
  return { plan, lowered: lower(model, plan) };
}

describe.each(["ort-cpu", "aimet-default"])("for %s", (target) => {
  test.each(Object.entries(products))("%s keeps its bias", async (_name, text) => {
    const model = parsed(text);
    const given = feeds(1e-4);
    const { lowered } = await quantized(model, target, given);
    const wanted = (await outputsOf(model, given)).y!.floats();
    const sessions = {
      off: await runtimes.node.open(lowered.model, { optimization: "off" }),
      stock: await runtimes.node.open(lowered.model),
      web: await runtimes.web.open(lowered.model),
    };
    for (const [name, session] of Object.entries(sessions)) {
      const found = (await session.run(given)).y!.floats();
      await session[Symbol.asyncDispose]();
      // Eight bits give 40 dB; a bias that saturates at 2³¹ steps is less than a hundredth of itself: 0 dB.
      expect(signalToNoise(wanted, found), name).toBeGreaterThan(30);
    }
  });
});

test("the report of kernels says why it runs in float", async () => {
  const { plan, lowered } = await quantized(parsed(products.Gemm!), "ort-cpu", feeds(1e-4));
  const [product] = kernelReport(lowered, lowered.model, plan);
  expect(product).toMatchObject({
    integer: false,
    reason: "its bias does not fit into 32 bits in steps of the scales of its two inputs",
  });
});

test("what fits is left to the integer kernel", async () => {
  const { lowered } = await quantized(parsed(products.Gemm!), "ort-cpu", feeds(1));
  expect([...lowered.model.graph.nodes].filter(({ op }) => op === "Max")).toEqual([]);
});

describe("in files that are written by hand", () => {
  /** Scales whose product is 2⁻³¹, so that a bias of one is 2³¹ steps, one more than an accumulator holds; and a scale per row. */
  const file = (body: string) =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (uint8[2,2] p, uint8[2,2] q, float t) => (float y)
       <float s, float r, float[2] rows, uint8 z = {0}, uint8[2] zz = {0, 0}, float[2] one = {1.0, -1.0}, float[2] less = {-0.5, 0.5},
        float[2,2] w> { ${body} }`,
      { seed: 1 },
    );
  const overflows = (body: string) => {
    const { graph } = file(body);
    const numbers = { s: [2 ** -10], r: [2 ** -21], rows: [2 ** -21, 2 ** -21] };
    for (const [name, data] of Object.entries(numbers)) {
      const value = graph.valuesByName().get(name)!;
      value.initializer = Tensor.float32(value.initializer!.shape, Float32Array.from(data));
    }
    return overflowsBias([...graph.nodes].find(({ op }) => ["Gemm", "MatMul"].includes(op))!);
  };
  const a = "a = DequantizeLinear(p, s, z)";
  const b = "b = DequantizeLinear(q, r, z)";

  test("the steps of the bias are counted by both scales and the factors of the product", () => {
    expect(overflows(`${a} ${b} y = Gemm(a, b, one)`), "2³¹").toBe(true);
    expect(overflows(`${a} ${b} y = Gemm(a, b, less)`), "2³⁰").toBe(false);
    expect(overflows(`${a} ${b} y = Gemm <beta = 2.0> (a, b, less)`)).toBe(true);
    expect(overflows(`${a} ${b} y = Gemm <alpha = 0.5> (a, b, less)`)).toBe(true);
    expect(overflows(`${a} ${b} y = Gemm <beta = 0.5> (a, b, one)`)).toBe(false);
    expect(overflows(`${a} ${b} y = Gemm <beta = -1.0> (a, b, one)`)).toBe(true);
    expect(overflows(`${a} ${b} m = MatMul(a, b) y = Add(m, one)`)).toBe(true);
    expect(overflows(`${a} ${b} y = MatMul(a, b)`), "nothing is added").toBe(false);
  });

  test("only of two activations with one known scale each", () => {
    expect(overflows(`${a} y = Gemm(a, w, one)`), "a weight").toBe(false);
    expect(overflows(`${a} b = DequantizeLinear(q, t, z) y = Gemm(a, b, one)`), "a computed scale").toBe(false);
    expect(overflows(`a = DequantizeLinear(p, t, z) ${b} y = Gemm(a, b, one)`), "a computed scale").toBe(false);
    expect(overflows(`${a} b = DequantizeLinear <axis = 0> (q, rows, zz) y = Gemm(a, b, one)`)).toBe(false);
    expect(
      overflows(`a = DequantizeLinear <axis = 0> (p, rows, zz) b = DequantizeLinear(q, s, z) y = Gemm(a, b, one)`),
    ).toBe(false);
    expect(overflows(`n = Neg(t) ${b} y = Gemm(n, b, one)`)).toBe(false);
  });

  test("what dequantizes a value, past what moves it and no further", () => {
    expect(dequantizerOf(null)).toBeUndefined();
    const of = (body: string) => {
      const found = dequantizerOf(file(`${a} ${body} y = Neg(b)`).graph.valuesByName().get("b")!);
      return found?.output.name;
    };
    expect(of("b = Transpose(a)")).toBe("a");
    expect(of("b = MaxPool <kernel_shape = [1]> (a)")).toBe("a");
    expect(of("b = Neg(a)")).toBeUndefined();
    expect(of("b = Transpose(t)")).toBeUndefined();
  });
});
