/** What the forms of storage cannot hold, by hand: each refusal next to what is taken. */
import { describe, expect, test } from "vitest";
import { entry } from "../../../test/hand-made-plan.ts";
import { parseModel } from "../../ir/inner.ts";
import type { Granularity } from "../grids/encoding.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { dynamicQuantizeLstm, notDynamic } from "./dynamic-quantize-lstm.ts";
import { gatherBlockQuantized } from "./gather-block-quantized.ts";
import type { StorageForm } from "./row.ts";

const parsed = (body: string, constants: string) =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21, "com.example" : 1]>
     f (float[1,4] x, float[1,4,8,8] p, int64[2] i, float[4] c, bool q) => (y) <${constants}> { ${body} }`,
    { seed: 1 },
  );

function refused(
  form: StorageForm,
  body: string,
  one: Partial<PlanEntry>,
  constants: string,
  others: PlanEntry[] = [],
) {
  const { graph } = parsed(body, constants);
  const value = graph.valuesByName().get("w")!;
  const own = { ...entry("w", "weight", "int8"), ...one };
  return form.refusal(own, value, new Map([own, ...others].map((each) => [each.value, each])));
}
const channel = (axis: number): Granularity => ({ kind: "channel", axis });
const block = (size: number, axis = 1): Granularity => ({ kind: "block", axis, size, channelAxis: 1 - axis });

describe("products with dynamic int8", () => {
  const of = (body: string, one: Partial<PlanEntry> = {}, constants = "float[4,4] w, float[4] b") =>
    refused(dynamicInt8, body, one, constants);
  const conv = "float[4,4,1,1] w, float[4] b";

  test("take what the operators of integers can", () => {
    expect(of("y = MatMul(x, w)")).toBeUndefined();
    expect(of("y = MatMul(x, w)", { granularity: channel(1) })).toBeUndefined();
    expect(of("y = Gemm(x, w, b)")).toBeUndefined();
    expect(of("y = Gemm <transB = 1> (x, w)", { granularity: channel(0) })).toBeUndefined();
    expect(of("y = Conv(p, w, b)", { granularity: channel(0) }, conv)).toBeUndefined();
    expect(of("y = Conv(p, w)", { symmetric: false }, conv)).toBeUndefined();
    expect(of("a = MatMul(x, w) b2 = MatMul(a, w) y = Neg(b2)")).toBeUndefined();
  });

  test.each<[string, string, Partial<PlanEntry>, string?]>([
    ["they take 8 bits", "y = MatMul(x, w)", entry("w", "weight", "int4")],
    ["they take 8 bits", "y = MatMul(x, w)", entry("w", "weight", "float16")],
    ["they take a scale per tensor or per channel", "y = MatMul(x, w)", { granularity: block(2) }],
    ["MatMulInteger takes one matrix with scales per channel", "y = MatMul(x, w)", {}, "float[2,4,4] w"],
    ["ConvInteger has one zero point", "y = Conv(p, w)", { granularity: channel(0), symmetric: false }, conv],
  ])("%s: %s", (reason, body, one, constants) => {
    expect(of(body, one, constants)).toBe(reason);
  });

  test.each([
    "y = Add(x, w)",
    "y = MatMul(w, x)",
    "y = MatMul(w, w)",
    "y = Gemm(x, w, w)",
    "a = MatMul(x, w) y = Add(a, w)",
    "y = com.example.MatMul(x, w)",
    "y = If (q) <then_branch = t () => (float[1,4] a) { a = MatMul(x, w) }, else_branch = e () => (float[1,4] b2) { b2 = Neg(x) }>",
  ])("another reader than a product of this graph: %s", (body) => {
    expect(of(body)).toBe("not only MatMul, Gemm and Conv read it as their weight");
  });

  test("what the node itself asks too much of", () => {
    expect(of("y = MatMul(x, w)", { granularity: channel(0) })).toMatch(/^the scales are not per output of/);
    expect(of("y = Gemm <transB = 1> (x, w)", { granularity: channel(1) })).toMatch(
      /^the scales are not per output of/,
    );
    expect(of("y = Gemm(x, w)", { granularity: channel(0) })).toMatch(/^the scales are not per output of/);
    expect(of("y = Gemm <transA = 1> (x, w)")).toMatch(/turns its input$/);
    expect(of("y = Gemm <alpha = 2.0> (x, w)")).toMatch(/^alpha or beta of/);
    expect(of("y = Gemm <beta = 2.0> (x, w)")).toMatch(/^alpha or beta of/);
    expect(of("y = Conv(p, w, c)", {}, conv)).toMatch(/^the bias of .* is computed$/);
  });

  test("a weight that the model returns, and an input that is quantized", () => {
    const model = parsed("y = MatMul(x, w)", "float[4,4] w");
    const value = model.graph.valuesByName().get("w")!;
    model.graph.setOutputs([...model.graph.outputs, value]);
    expect(dynamicInt8.refusal(entry("w", "weight", "int8"), value, new Map())).toMatch(/^not only MatMul/);
    const quantized = refused(dynamicInt8, "y = MatMul(x, w)", {}, "float[4,4] w", [entry("x", "activation", "uint8")]);
    expect(quantized).toMatch(/^the input of .* is quantized$/);
  });
});

describe("packed tables", () => {
  const of = (body: string, one: Partial<PlanEntry> = {}, constants = "float[4,64] w") =>
    refused(gatherBlockQuantized, body, { granularity: block(16), ...one }, constants);

  test("take what is read row by row, in blocks of 16 and more", () => {
    expect(of("y = Gather(w, i)")).toBeUndefined();
    expect(of("y = Gather <axis = 0> (w, i)", { granularity: block(32) })).toBeUndefined();
    expect(of("a = Gather(w, i) b = Gather(w, i) y = Add(a, b)")).toBeUndefined();
  });

  test.each([
    "y = Gather <axis = 1> (w, i)",
    "y = Gather(x, w)",
    "y = Gather(w, w)",
    "y = Neg(w)",
    "a = Gather(w, i) b = Neg(w) y = Mul(a, b)",
    "y = com.example.Gather(w, i)",
    "y = If (q) <then_branch = t () => (float[2,64] a) { a = Gather(w, i) }, else_branch = e () => (float[2,64] b2) { b2 = Gather(w, i) }>",
  ])("another reader: %s", (body) => expect(of(body)).toBe("not only Gather reads it, row by row"));

  test("other grids, shapes and blocks", () => {
    const gather = "y = Gather(w, i)";
    const bits = "it takes 2, 4 or 8 bits";
    expect(of(gather, { grid: entry("w", "weight", "int16").grid })).toBe(bits);
    expect(of(gather, { grid: entry("w", "weight", "float16").grid })).toBe(bits);
    expect(of(gather, {}, "float[2,4,64] w")).toBe("it takes one table");
    expect(of(gather, { granularity: channel(1) })).toBe("it takes scales in blocks");
    expect(of(gather, { granularity: block(16, 0) })).toBe("it takes scales in blocks");
    for (const size of [8, 24]) expect(of(gather, { granularity: block(size) })).toMatch(/blocks of 16, 32/);
    const model = parsed(gather, "float[4,64] w");
    const value = model.graph.valuesByName().get("w")!;
    model.graph.setOutputs([...model.graph.outputs, value]);
    const own = { ...entry("w", "weight", "int8"), granularity: block(16) };
    expect(gatherBlockQuantized.refusal(own, value, new Map())).toMatch(/^not only Gather/);
    expect(gatherBlockQuantized.refusal(own, model.graph.valuesByName().get("x")!, new Map())).not.toBeUndefined();
  });
});

describe("recurrent operators with dynamic int8", () => {
  const net = (body: string, constants = "float[1,16,2] w, float[1,16,4] r", outputs = "y") =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (float[3,1,2] x, float[1,16,4] cr) => (${outputs}) <${constants}> { ${body} }`,
      { seed: 1 },
    ).graph;
  const lstm = "y = LSTM <hidden_size = 4> (x, w, r)";
  const weight = (name: string, more: Partial<PlanEntry> = {}) => ({ ...entry(name, "weight", "int8"), ...more });
  const of = (one: Partial<PlanEntry>, other: PlanEntry | undefined = weight("r"), body = lstm) => {
    const own = weight("w", one);
    const entries = new Map([own, ...(other ? [other] : [])].map((each) => [each.value, each]));
    return dynamicQuantizeLstm.refusal(own, net(body).valuesByName().get("w")!, entries);
  };

  test("take symmetric weights of 8 bits and fewer, with scales per row or one", () => {
    for (const one of [{}, { granularity: channel(0) }, { granularity: channel(1) }, { granularity: block(2, 2) }])
      expect(of(one)).toBeUndefined();
    expect(of({ grid: entry("w", "weight", "int4").grid })).toBeUndefined();
  });

  test.each<[string, Partial<PlanEntry>]>([
    ["it takes 8 bits and fewer", { grid: entry("w", "weight", "int16").grid }],
    ["it takes 8 bits and fewer", { grid: entry("w", "weight", "float16").grid }],
    ["it takes 8 bits and fewer", { kind: "activation" }],
    ["it takes symmetric weights", { symmetric: false }],
    ["it takes scales per row of the gates", { granularity: channel(2) }],
    ["it takes no blocks within a row", { granularity: block(1, 2) }],
    ["it takes no blocks within a row", { granularity: block(2, 1) }],
  ])("%s", (reason, one) => {
    expect(of(one)).toBe(reason);
    expect(of({}, weight("r", one))).toBe(`r cannot be stored so: ${reason}`);
  });

  test("both weights, or none", () => {
    const own = weight("w");
    expect(dynamicQuantizeLstm.refusal(own, net(lstm).valuesByName().get("w")!, new Map([["w", own]]))).toBe(
      "r cannot be stored so: it stays in float",
    );
    const unread = net("y = Neg(x)").valuesByName().get("w")!;
    expect(dynamicQuantizeLstm.refusal(own, unread, new Map())).toBe("nobody reads it");
  });

  test("what the node itself cannot be", () => {
    const why = (body: string, constants?: string, outputs?: string) =>
      notDynamic([...net(body, constants, outputs).nodes][0]!);
    expect(why(lstm)).toBeUndefined();
    expect(why("y = GRU <hidden_size = 4> (x, w, r)")).toBe("ONNX Runtime has no integer kernel of GRU");
    expect(why("y = LSTM <hidden_size = 4, layout = 1> (x, w, r)")).toBe("its layout 1 has no kernel in ONNX Runtime");
    expect(why('y = LSTM <hidden_size = 4, activations = ["Odd", "Tanh", "Tanh"]> (x, w, r)')).toEqual(
      expect.any(String),
    );
    expect(why("y = LSTM <hidden_size = 4> (x, w, cr)")).toBe("its weights are computed");
    expect(why(`${lstm} z = Neg(w)`)).toBe("others read its weights, too");
    expect(why(`${lstm} z = Neg(r)`)).toBe("others read its weights, too");
    expect(why(lstm, "float16[1,16,2] w, float[1,16,4] r")).toBe("its weights are not float32");
    const returned = net(lstm);
    returned.setOutputs([...returned.outputs, returned.valuesByName().get("r")!]);
    expect(notDynamic([...returned.nodes][0]!)).toBe("others read its weights, too");
  });

  test("the constant with the weight, itself or behind a Cast", () => {
    const read = (body: string) => [...net(body).nodes].map((node) => dynamicQuantizeLstm.weightOf(node)?.name);
    expect(read("y = DynamicQuantizeLSTM(x, w, r)")).toEqual(["w"]);
    expect(read("k = Cast <to = 3> (w) y = DynamicQuantizeLSTM(x, k, r)")).toEqual([undefined, "w"]);
    expect(read("k = Neg(w) y = DynamicQuantizeLSTM(x, k, r)")).toEqual([undefined, "k"]);
    expect(read(`y = DynamicQuantizeLSTM(x, "", r)`)).toEqual([undefined]);
    expect(read(lstm)).toEqual([undefined]);
    expect(dynamicQuantizeLstm.whyFloat([...net(lstm).nodes][0]!)).toMatch(/did not run/);
  });
});

test("what holds the numbers of a product or lookup, and why one stays in float", () => {
  const nodes = [
    ...parsed(
      "a = MatMulInteger(x, w) b = ConvInteger(x, w) d = GatherBlockQuantized <bits = 2, block_size = 16> (w, i) e = MatMulInteger(x, c) g = Relu(w) y = GatherBlockQuantized(w, i)",
      "float[4,4] w",
    ).graph.nodes,
  ];
  expect(nodes.map((node) => dynamicInt8.weightOf(node)?.name)).toEqual(["w", "w", ...Array(4).fill(undefined)]);
  expect(nodes.map((node) => gatherBlockQuantized.weightOf(node)?.name)).toEqual([
    undefined,
    undefined,
    "w",
    undefined,
    undefined,
    "w",
  ]);
  expect(dynamicInt8.whyFloat(nodes[0]!)).toMatch(/did not fuse/);
  expect(gatherBlockQuantized.whyFloat(nodes[2]!)).toContain("packed in 2 bits, in blocks of 16");
  expect(gatherBlockQuantized.whyFloat(nodes[5]!)).toContain("packed in 4 bits, in blocks of 128");
});
