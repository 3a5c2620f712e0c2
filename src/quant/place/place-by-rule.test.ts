/** Placement by the rules of a target, where nothing but a rule decides: each test changes one rule, or one thing of a graph. */
import { describe, expect, test } from "vitest";
import { type Model, parseModel, type TensorType } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type PlaceOptions, type Plan, place, targetFile } from "../inner.ts";
import { parseTarget } from "../inner-files.ts";
import type { TargetFile } from "../targets/target-schema.ts";

/** AIMET's default target, with other sections. */
function planOf(model: string | Model, changes: Partial<TargetFile> = {}, options: Partial<PlaceOptions> = {}): Plan {
  const parsed = typeof model === "string" ? parseModel(model, { seed: 1 }) : model;
  const target = parseTarget({ ...targetFile("aimet-default"), ...changes }, "mine");
  return place(parsed, target, { shapes: new Map<string, TensorType>(), ...options });
}
/** The sentence about a value, after its state. */
function about(plan: Plan, value: string): string | undefined {
  const entry = plan.entries.find((one) => one.value === value);
  if (entry) return `${entry.sharesEncodingOf ? `as ${entry.sharesEncodingOf}` : "on"}: ${entry.reason}`;
  const left = plan.notQuantized.find((one) => one.value === value);
  return left && `float: ${left.reason}`;
}

const opset = (version: number) => `<ir_version: 8, opset_import: ["": ${version}]>`;
const matmul = "f (float[4,8] x) => (float[4,8] y) <float[8,8] w> { y = MatMul(x, w) }";
const noInputs = { model_input: {} };

describe("inputs of the model", () => {
  test("are the target's wish, or that of an operator that reads them", () => {
    expect(about(planOf(matmul), "x")).toBe("on: the target quantizes the inputs of the model");
    expect(about(planOf(matmul, noInputs), "x")).toBe("float: the target leaves the inputs of the model in float");
    const reading = { ...noInputs, op_type: { MatMul: { is_input_quantized: "True" as const } } };
    expect(about(planOf(matmul, reading), "x")).toBe("on: the target quantizes the inputs of MatMul");
    const kept = planOf(
      `f (float[4,8] x) => (float[4,8] y, float[4,8] z) <float[8,8] w> { y = MatMul(x, w) z = Relu(x) }`,
      reading,
      { keepFloat: ["MatMul"] },
    );
    expect(about(kept, "x"), "the operator that wanted it stays in float").toBe(
      "float: the target leaves the inputs of the model in float",
    );
  });

  test("a default is no constant beside data", () => {
    const model = parseModel("f (float[4,8] x, float[8] k) => (float[4,8] y) { y = Mul(x, k) }", { seed: 1 });
    model.graph.setDefault(model.graph.valuesByName().get("k")!, Tensor.float32([8], new Float32Array(8).fill(2)));
    expect(about(planOf(model), "k")).toBe("on: the target quantizes the inputs of the model");
  });

  test("one that nobody reads is quantized as all are", () => {
    const unread = "f (float[4,8] x, float[4,8] z) => (float[4,8] y) <float[8,8] w> { y = MatMul(x, w) }";
    expect(about(planOf(unread), "z")).toBe("on: the target quantizes the inputs of the model");
  });
});

describe("constants beside data", () => {
  const scaled = "f (float[4,8] x) => (float[4,8] y) <float[8] k> { y = Mul(x, k) }";

  test("are quantized as inputs of the model are", () => {
    expect(about(planOf(scaled), "k")).toMatch(/^on: a constant beside quantized data/);
    expect(about(planOf(scaled, noInputs), "k")).toBe("float: the target leaves constants in float");
  });

  test("scales of a resize are none, unless somebody else reads them too", () => {
    const resized = (op: string, version: number, more: string) =>
      planOf(`${opset(version)} f (float[1,1,2,4] x) => (float[1,1,4,8] y, float[1,1,2,4] z) <float[4] s = {1, 1, 2, 2}> {
        y = ${op}
        z = ${more} }`);
    const none = "float: scales and sizes of a resize are no data";
    expect(about(resized(`Resize <mode = "linear"> (x, "", s)`, 17, "Relu(x)"), "s")).toBe(none);
    expect(about(resized(`Upsample <mode = "linear"> (x, s)`, 9, "Relu(x)"), "s")).toBe(none);
    expect(about(resized(`Resize <mode = "linear"> (x, "", s)`, 17, "Mul(x, s)"), "s")).toMatch(/^on: a constant/);
  });

  test("the shift of a LayerNorm that is written out is a bias, whoever else reads it", () => {
    const text = `${opset(17)} f (float[1,4,8] x) => (float[1,4,8] l, float[1,4,8] z)
      <float two = {2.0}, float e = {0.00001}, float[8] g, float[8] s> {
      m = ReduceMean <axes = [-1]> (x)
      d = Sub(x, m)
      p = Pow(d, two)
      v = ReduceMean <axes = [-1]> (p)
      a = Add(v, e)
      q = Sqrt(a)
      n = Div(d, q)
      k = Mul(n, g)
      l = Add(k, s)
      z = Mul(x, s) }`;
    const plan = planOf(text, { supergroup_pass_list: ["LayerNormalization"] });
    expect(about(plan, "s")).toBe("float: the target keeps every bias in float");
    expect(about(plan, "g")).toBe("on: it is the gain of a normalization, which is its weight");
  });

  test("one that only a body of an If reads is in no plan", () => {
    const plan = planOf(`${opset(17)} f (float[4,8] x, bool c) => (float[4,8] z) <float[8,8] w, float[8] k> {
      y = MatMul(x, w)
      z = If (c) <
        then_branch = then () => (float[4,8] a) { a = Mul(y, k) },
        else_branch = otherwise () => (float[4,8] b) { b = Identity(y) }> }`);
    expect(about(plan, "k")).toBeUndefined();
    expect(about(plan, "y")).toBe("on: the target quantizes the output of MatMul");
  });
});

describe("outputs of operators", () => {
  const reshaped = `f (float[4,8] x) => (float[32] y) <float[8,8] w, int64[1] shape = {32}> {
    m = MatMul(x, w)
    y = Reshape(m, shape) }`;
  const notByDefault = { defaults: { ...targetFile("aimet-default").defaults, ops: {} } };

  test("are the operator's rule, and the target's default without one", () => {
    const off = { MatMul: { is_output_quantized: "False" as const } };
    const on = { MatMul: { is_output_quantized: "True" as const } };
    expect(about(planOf(matmul), "y")).toBe("on: the target quantizes the output of MatMul");
    expect(about(planOf(matmul, { op_type: off }), "y")).toBe("float: the target leaves the output of MatMul in float");
    expect(about(planOf(matmul, notByDefault), "y")).toBe("float: the target leaves the output of MatMul in float");
    expect(about(planOf(matmul, { ...notByDefault, op_type: on }), "y")).toBe(
      "on: the target quantizes the output of MatMul",
    );
    const chained = "f (float[4,8] x) => (float[4,8] y) <float[4,8] k> { a = Add(x, k) y = Relu(a) }";
    expect(about(planOf(chained), "y")).toBe("on: the target quantizes the output of Add + Relu");
  });

  test("integers are not placed, whatever the rules", () => {
    const plan = planOf(`${opset(17)} f (float[4,8] x) => (int64[4] i, int64[2] s) <float[8,8] w> {
      y = MatMul(x, w)
      i = ArgMax <axis = 1, keepdims = 0> (y)
      s = Shape(y) }`);
    for (const value of ["i", "s"]) expect(about(plan, value)).toBeUndefined();
    expect(about(plan, "y")).toMatch(/^on/);
  });

  test("what only moves shares an encoding, unless a rule or the user says otherwise", () => {
    expect(about(planOf(reshaped), "y")).toBe("as m: Reshape only moves what m holds");
    const own = { op_type: { Reshape: { is_output_quantized: "True" as const } } };
    expect(about(planOf(reshaped, own), "y")).toBe("on: the target quantizes the output of Reshape");
    expect(about(planOf(reshaped, {}, { keepFloat: ["Reshape"] }), "y")).toBe(
      "float: you asked for Reshape to stay in float",
    );
    expect(about(planOf(reshaped, notByDefault), "y")).toBe("float: Reshape only moves data, and m is not quantized");
  });

  test("a weight that is moved as data has no encoding of activations to share", () => {
    const plan = planOf(`f (float[8,8] x) => (float[8,8] y, float[8,8] t) <float[8,8] w> {
      y = MatMul(x, w)
      t = Transpose <perm = [1,0]> (w) }`);
    expect(about(plan, "t")).toBe("float: Transpose only moves data, and w is not quantized");
  });

  test("a Cast that stays float passes on what it was cast from; one from integers does not", () => {
    const cast = (
      from: string,
    ) => `${opset(17)} f (float[4,8] x, int64[4,8] n) => (float[8,4] y, float[4,8] z) <float[8,8] w> {
      m = MatMul(x, w)
      ${from}
      y = Transpose <perm = [1,0]> (d)
      z = Relu(m) }`;
    const shapes = new Map<string, TensorType>([["n", { kind: "tensor", dtype: "int64", shape: [4, 8] }]]);
    const one = planOf(cast("d = Cast <to = 1> (m)"), {}, { shapes });
    expect(about(one, "d")).toBe("float: the target leaves the output of Cast in float");
    expect(about(one, "y")).toBe("as m: Transpose only moves what m holds");
    const two = planOf(cast("c = Cast <to = 1> (m) d = Cast <to = 1> (c)"), {}, { shapes });
    expect(about(two, "y"), "through two of them").toBe("as m: Transpose only moves what m holds");
    const integers = planOf(cast("d = Cast <to = 1> (n)"), {}, { shapes });
    expect(about(integers, "y")).toBe("float: Transpose only moves data, and d is not quantized");
    const computed = planOf(cast("d = Tanh(m)"), { op_type: { Tanh: { is_output_quantized: "False" } } }, { shapes });
    expect(about(computed, "y"), "what is computed in float is other numbers").toBe(
      "float: Transpose only moves data, and d is not quantized",
    );
  });

  test("a mask that is filled in stays float; in front of a maximum it is never chosen", () => {
    const padded = (fill: string, reader: string) => `${opset(17)} f (float[1,1,4,4] x) => (float y)
      <float[1,1,4,4] k, int64[8] pads = {0,0,1,1,0,0,1,1}, float fill = {${fill}}> {
      m = Mul(x, k)
      p = Pad(m, pads, fill)
      y = ${reader}(p) }`;
    const pool = "MaxPool <kernel_shape = [2,2]> ";
    expect(about(planOf(padded("-10000.0", "Relu")), "p")).toBe(
      "float: Pad fills in -10000, and a grid that holds it holds nothing else",
    );
    expect(about(planOf(padded("-3e38", pool)), "p")).toBe("as m: Pad only moves what m holds");
    expect(about(planOf(padded("-1.5", "Relu")), "p"), "a number like others has a grid of its own").toBe(
      "on: the target quantizes the output of Pad",
    );
  });

  test("the second output of a recurrent layer is data, that of a Dropout is none", () => {
    const lstm = planOf(`${opset(17)} f (float[2,1,3] x) => (float[2,1,1,4] a, float[1,1,4] h, float[1,1,4] c)
      <float[1,16,3] w, float[1,16,4] r> { a, h, c = LSTM <hidden_size = 4> (x, w, r) }`);
    const own = "the target quantizes the output of LSTM";
    expect(["a", "h", "c"].map((value) => about(lstm, value))).toEqual([
      `on: ${own}`,
      `as a: ${own}; it shares the encoding of a`,
      `on: ${own}`,
    ]);
    const dropout = planOf(`${opset(9)} f (float[4,8] x) => (float[4,8] y) <float[8,8] w> {
      m = MatMul(x, w)
      y, k = Dropout(m) }`);
    expect(about(dropout, "y")).toBe("as m: Dropout only moves what m holds");
    expect(about(dropout, "k")).toBe("float: the further outputs of Dropout are no data");
  });

  test("the further parts of a Split follow what is split", () => {
    const split = (changes: Partial<TargetFile>) =>
      planOf(
        `${opset(13)} f (float[4,8] x) => (float[4,4] a, float[4,4] b) <float[8,8] w> {
        m = MatMul(x, w)
        a, b = Split <axis = 1> (m) }`,
        changes,
      );
    expect(about(split({}), "b")).toBe("as m: Split only moves what m holds");
    expect(about(split(notByDefault), "b")).toBe("float: Split only moves data, and m is not quantized");
  });
});

describe("what only operators in float read", () => {
  test("stays float when all of them do, and is no output of the model", () => {
    const two = (outputs: string) => `f (float[4,8] x) => (${outputs}) <float[8,8] w> {
      m = MatMul(x, w)
      a = Relu(m)
      b = Tanh(m) }`;
    const read = (outputs: string, ...keepFloat: string[]) => about(planOf(two(outputs), {}, { keepFloat }), "m");
    const both = "float[4,8] a, float[4,8] b";
    const wanted = "on: the target quantizes the output of MatMul";
    expect(read(both, "Relu")).toBe(wanted);
    expect(read(both, "Tanh")).toBe(wanted);
    expect(read(both, "Relu", "Tanh")).toMatch(/^float: it is only read by what stays in float: you asked for Relu/);
    expect(read(`${both}, float[4,8] m`, "Relu", "Tanh")).toBe(wanted);
  });

  test("a value that nobody reads is quantized by its rule", () => {
    const unread = "f (float[4,8] x) => (float[4,8] y) <float[8,8] w> { y = MatMul(x, w) z = Relu(y) }";
    expect(about(planOf(unread), "z")).toMatch(/^(on|as y): the target quantizes the output of Relu/);
  });
});
