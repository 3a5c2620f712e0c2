/** Every operator's row is enforced: what ONNX's schemas demand is generated here, ranges and fits are listed. */
import { describe, expect, test } from "vitest";
import { existsAt, sampleOf, samples, specials } from "../../test/operator-zoo.ts";
import { AvocetError } from "../base/inner.ts";
import { type AttributeLike, addNode, attributeOf, Graph, Model, parseModel, tensorType } from "../ir/inner.ts";
import { type AttributeFacts, attributesAt, checkNodes, ops, type StandardOp } from "./inner.ts";

const newest = 26;
const rows = Object.entries(ops).filter(([, row]) => row.deprecated === undefined);
const names = rows.map(([name]) => name);

/** Why the model is refused; undefined where it is not. */
function refusal(model: Model): string | undefined {
  try {
    checkNodes(model);
    return undefined;
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.code).toBe("graph/invalid-node");
    expect(error.detail.at).toBeTruthy();
    expect(error.detail.hint).toBeTruthy();
    return error.message;
  }
}

const plain: Record<AttributeFacts["type"], AttributeLike | undefined> = {
  float: { type: "float", value: 1 },
  int: 1,
  string: "forward",
  tensor: undefined,
  graph: undefined,
  type: undefined,
  floats: { type: "floats", value: [1] },
  ints: [1],
  strings: ["a"],
  tensors: undefined,
  graphs: undefined,
  sparse: undefined,
};

/** A node as its row wants it; `without` leaves out an input, `drop` an attribute. */
function modelOf(
  name: string,
  change: { without?: number; drop?: string; inputs?: number; outputs?: number } = {},
): Model {
  const row = ops[name as "Add"];
  const graph = new Graph("g");
  const x = graph.addInput("x", tensorType("float32", [1]));
  const count = change.inputs ?? row.inputs.length;
  const inputs = Array.from({ length: count }, (_, i) => (i === change.without ? null : x));
  const attributes = Object.entries(attributesAt(row, name.includes(".") ? 1 : newest)).flatMap(([key, facts]) =>
    facts.required && key !== change.drop && plain[facts.type] !== undefined
      ? [[key, plain[facts.type]!] as const]
      : [],
  );
  const [domain, op] = name.includes(".") ? ["com.microsoft", name.replace("com.microsoft.", "")] : ["", name];
  const outputs = Array.from({ length: change.outputs ?? row.outputs.length }, (_, i) => `y${i}`);
  addNode(graph, op!, inputs, Object.fromEntries(attributes), { outputs, ...(domain ? { domain } : {}) });
  return new Model(
    graph,
    new Map([
      ["", newest],
      ["com.microsoft", 1],
    ]),
  );
}

const hasBody = (name: string) => Object.values(ops[name as "If"].attributes).some(({ type }) => type === "graph");

describe("what the schemas demand, for every operator", () => {
  test("as they want it none is refused", () => {
    const refused = names.filter((name) => !hasBody(name) && refusal(modelOf(name)));
    expect(refused).toEqual([]);
  });

  test("without a required input", () => {
    for (const [name, row] of rows) {
      for (const [index, port] of row.inputs.entries()) {
        if (/[?]$/.test(port) || (port.endsWith("*") && index > 0)) continue;
        expect(refusal(modelOf(name, { without: index })), `${name} without ${port}`).toContain("expected the input");
      }
    }
  });

  test("with an input or output too many, and without any output", () => {
    for (const [name, row] of rows) {
      if (!row.inputs.at(-1)?.endsWith("*"))
        expect(refusal(modelOf(name, { inputs: row.inputs.length + 1 })), name).toContain("expected at most");
      if (!row.outputs.at(-1)?.endsWith("*"))
        expect(refusal(modelOf(name, { outputs: row.outputs.length + 1 })), name).toContain("expected at most");
      if (row.outputs.length > 0) expect(refusal(modelOf(name, { outputs: 0 })), name).toContain("expected at least");
    }
  });

  test("without a required attribute, and with any attribute of another type", () => {
    for (const [name, row] of rows) {
      const facts = Object.entries(attributesAt(row, name.includes(".") ? 1 : newest));
      for (const [key, { required, type }] of facts) {
        if (required) expect(refusal(modelOf(name, { drop: key })), name).toContain(`the attribute ${key}`);
        const model = modelOf(name);
        const [node] = model.graph.nodes;
        node!.attributes.set(key, attributeOf(type === "strings" ? 1 : ["a"]));
        expect(refusal(model), `${name} ${key}`).toContain(`the attribute ${key} of type ${type}`);
      }
    }
  });
});

test("the zoo is taken as it is, in every opset where an operator changed", () => {
  for (const op of Object.keys(samples) as StandardOp[]) {
    for (const opset of [7, ...ops[op].versions]) {
      // The sample of Scan has the inputs of version 9.
      if (opset >= (op === "Scan" ? 9 : 7) && opset <= newest && existsAt(op, opset))
        expect(refusal(sampleOf(op, opset)), `${op}-${opset}`).toBeUndefined();
    }
  }
  for (const [name, { text }] of Object.entries(specials)) expect(refusal(parseModel(text)), name).toBeUndefined();
});

const image = "float[1,4,6,6] x";
describe("ranges and fits", () => {
  test.each([
    ["Conv <group = 0> (x, w)", "expected group from 1 to 2147483647, got 0"],
    ["Conv <group = 3> (x, w)", "expected group to divide the 4 channels of the weight, got 3"],
    ["ConvTranspose <group = 100000000> (x, w)", "expected group to divide"],
    ["Conv <dilations = [0,1]> (x, w)", "expected dilations from 1"],
    ["Conv <strides = [1]> (x, w)", "expected 2 numbers in strides for 2 axes, got 1"],
    ["Conv <pads = [1,1]> (x, w)", "expected 4 numbers in pads for 2 axes, got 2"],
    ["Conv <kernel_shape = [5,5]> (x, w)", "expected kernel_shape to be [3, 3] as the weight says"],
    ["Conv(x, w, v)", "expected a bias of shape [4], got [3]"],
    ["Conv(x, v)", "expected a weight of rank 3 or more, got 1"],
    ['Conv <auto_pad = "SAME"> (x, w)', "expected auto_pad to be one of"],
    ["AveragePool <kernel_shape = [0,2]> (x)", "expected kernel_shape from 1"],
    ["MaxPool <kernel_shape = [2,2], pads = [1]> (x)", "expected 4 numbers in pads"],
    ["DepthToSpace <blocksize = 0> (x)", "expected blocksize from 1"],
    ["SpaceToDepth <blocksize = -2> (x)", "expected blocksize from 1"],
    ["Concat <axis = 200> (x, x)", "expected axis from -64 to 63, got 200"],
    ["Split <num_outputs = 0> (x)", "expected num_outputs from 1"],
    ["Split <num_outputs = 3> (x)", "expected one output for each of its 3 parts, got 1"],
    ["Transpose <perm = [0,1,1,2]> (x)", "expected each axis once in perm"],
    ["Transpose <perm = [0,1,2,4]> (x)", "expected perm to name axes 0 to 3"],
    ["LRN <size = 0> (x)", "expected size from 1"],
    ["GroupNormalization <num_groups = 0> (x, b, b)", "expected num_groups from 1"],
    ["BatchNormalization(x, b, b, b, v)", "expected one number per channel in each parameter"],
    ["BatchNormalization(x, w, b, b, b)", "expected one number per channel in each parameter"],
    ["Attention <q_num_heads = 0, kv_num_heads = 1> (x, x, x)", "expected q_num_heads from 1"],
    ["LSTM <hidden_size = -1> (x, w, w)", "expected hidden_size from 1"],
    ['LSTM <hidden_size = 1, direction = "both"> (x, w, w)', "expected direction to be one of"],
    ['Concat <axis = 0> (x, "", x)', "expected every input of a list, number 2 is left out"],
    [
      "If(c) < then_branch = t () => (float p, float q) { p = Neg(x) q = Neg(x) }, else_branch = e () => (float p) { p = Neg(x) } >",
      "expected 1 output of then_branch, got 2",
    ],
    [
      "Loop(n, c, x) < body = b (int64 i) => (bool d, float[1] t) { d = Identity(c) t = Neg(x) } >",
      "expected 3 inputs of body, got 1",
    ],
    [
      "Scan <num_scan_inputs = 1, body = b (float a, float e) => (float t) { t = Add(a, e) }> (x)",
      "expected 1 input of body, got 2",
    ],
  ])("%s", (node, message) => {
    const text = `f (${image}, bool c, int64 n) => (y) <float[4,4,3,3] w, float[4] b, float[3] v> { y = ${node} }`;
    expect(refusal(parseModel(text, { opset: 23, seed: 1 }))).toContain(message);
  });
});

test("all nodes are listed in one error, those of bodies and functions too", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21, "own" : 1]>
    f (float[2] x, bool c) => (y) { a = Relu(x, x) b = If(c) < then_branch = t () => (p) { p = Add(a) }, else_branch = e () => (q) { q = Neg(a) } > y = own.F(b) }
    <domain: "own", opset_import: ["" : 21]> F (a) => (b) { b = Cast(a) }`);
  expect(refusal(model)?.split("\n")).toHaveLength(4);
  expect(refusal(model)).toContain("Cast → b: expected the attribute to, got none");
});

test("unknown operators, unknown attributes and newer opsets are taken as they are", () => {
  expect(refusal(parseModel("f (float[2] x) => (y) { y = Relu <made_up = 3> (x) }", { opset: 21 }))).toBeUndefined();
  expect(refusal(parseModel("f (float[2] x) => (y) { y = Relu(x, x) }", { opset: 27 }))).toBeUndefined();
  expect(refusal(parseModel("f (float[2] x) => (y) { y = vendor.Relu(x, x, x) }", { opset: 21 }))).toBeUndefined();
});
