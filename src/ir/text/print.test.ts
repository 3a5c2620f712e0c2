/** Writing ONNX text: what people see, and that nothing is lost on the way to text and back. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DType, dtypes, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { Attribute } from "../attribute.ts";
import { check } from "../check.ts";
import { Graph } from "../graph.ts";
import { Model } from "../model.ts";
import type { ValueType } from "../types.ts";
import { printFloat32 } from "./literal.ts";
import { parseModel } from "./parse.ts";
import { printGraph, printModel, printType } from "./print.ts";

describe("for eyes", () => {
  const text = `g (float[1,3,8,8] x) => (float[1,4,6,6] y)
    <float[4,3,3,3] w, float[4] b = {1, 2, 3, 4}, float[1,4,6,6] c>
    { c = Conv(x, w, b) <kernel_shape = [3, 3]> y = Relu(c) }`;

  test("long tensors are elided; what is elided can be read with a seed", () => {
    const model = parseModel(text, { seed: 1 });
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "g (float[1,3,8,8] x) => (float[1,4,6,6] y)
      <float[4,3,3,3] w = {...}, float[4] b = {1, 2, 3, 4}, float[1,4,6,6] c>
      {
        c = Conv(x, w, b) <kernel_shape = [3, 3]>
        y = Relu(c)
      }"
    `);
    expect(printModel(parseModel(printModel(model), { seed: 1 }), { tensors: "full" })).toBe(
      printModel(model, { tensors: "full" }),
    );
  });

  test("long lists stand one item a line", () => {
    const graph = new Graph("g");
    for (let i = 0; i < 3; i++) {
      graph.addInput(`a_rather_long_name_of_an_input_${i}`, {
        kind: "tensor",
        dtype: "float32",
        shape: [1, null, "n"],
      });
    }
    graph.addOutput(graph.inputs[0]!);
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "g (
        float[1,?,n] a_rather_long_name_of_an_input_0,
        float[1,?,n] a_rather_long_name_of_an_input_1,
        float[1,?,n] a_rather_long_name_of_an_input_2
      ) => (float[1,?,n] a_rather_long_name_of_an_input_0) {
      }"
    `);
  });

  test("attributes that are kept without being understood are marked", () => {
    const graph = new Graph("g");
    const attributes = new Map<string, Attribute>([["sparse_value", { type: "opaque", value: Uint8Array.of(1) }]]);
    graph.insert({ op: "Constant", inputs: [], outputs: ["y"], attributes });
    expect(printGraph(graph)).toContain("y = Constant() <sparse_value = ...>");
  });

  test("types have the spelling of the official syntax", () => {
    expect(printType({ kind: "tensor", dtype: "float64", shape: [1, null, "n", "a b"] })).toBe('double[1,?,n,"a b"]');
    expect(printType({ kind: "tensor", dtype: "int4", shape: [] })).toBe("int4");
    expect(printType({ kind: "tensor", dtype: "bool", shape: null })).toBe("bool[]");
    expect(printType({ kind: "optional", of: { kind: "sequence", of: null } })).toBe("optional(seq())");
  });
});

test("a float32 is written in the fewest digits that read back as the same number", () => {
  expect([0.1, 1 / 3, 16777216, -0, 1e-45, 3.4028234663852886e38, Number.NaN, -Infinity].map(printFloat32)).toEqual([
    "0.1",
    "0.33333334",
    "16777216",
    "-0",
    "1e-45",
    "3.4028235e+38",
    "nan",
    "-inf",
  ]);
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (x) => {
      expect(Object.is(Math.fround(Number(printFloat32(x).replace("inf", "Infinity"))), x)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

/** Names as files have them: plain, with slashes and dots, words of the syntax, quotes, anything. */
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,6}$/),
  fc.constantFrom("float", "seq", "inf", "NaN", "bytes", "1x", "a/b:0", "a.b", 'q"\\', "é 𝛼", " ", "\n#", "@"),
  fc.string({ minLength: 1, maxLength: 5 }),
);

const dtype = fc.constantFrom(...(Object.keys(dtypes) as DType[]));
const shape = fc.array(fc.nat(3), { maxLength: 3 });

const tensor: fc.Arbitrary<Tensor> = fc.tuple(dtype, shape).chain(([type, dims]) => {
  if (type === "string") {
    const strings = fc.array(fc.string(), { minLength: sizeOf(dims), maxLength: sizeOf(dims) });
    return strings.map((values) => Tensor.of(type, dims, values));
  }
  const length = Math.ceil((dtypes[type].bits * sizeOf(dims)) / 8);
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
    // Bits beyond the last element are zero, and bools are 0 or 1.
    const used = dtypes[type].bits * sizeOf(dims) - 8 * (length - 1);
    if (used < 8) bytes[length - 1] = bytes[length - 1]! & ((1 << used) - 1);
    return Tensor.fromBytes(type, dims, type === "bool" ? bytes.map((b) => b & 1) : bytes);
  });
});

const type: fc.Arbitrary<ValueType> = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2 },
    fc.record({
      kind: fc.constantFrom("tensor" as const, "sparse-tensor" as const),
      dtype,
      shape: fc.option(fc.array(fc.oneof(fc.nat(), name, fc.constant(null)), { maxLength: 3 })),
    }),
    fc.record({ kind: fc.constantFrom("sequence" as const, "optional" as const), of: fc.option(tie("type")) }),
    fc.record({ kind: fc.constant("map" as const), key: dtype, of: fc.option(tie("type")) }),
  ),
})).type;

const float = fc.float();
const whole = fc.oneof(fc.integer(), fc.bigInt({ min: BigInt(Number.MAX_SAFE_INTEGER) + 1n, max: (1n << 63n) - 1n }));
const notUtf8 = fc.uint8Array({ maxLength: 4 }).map((bytes) => Uint8Array.of(0xff, ...bytes));
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), notUtf8);
const listed = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 3 });

const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.record({ type: fc.constant("float" as const), value: float }),
  fc.record({ type: fc.constant("int" as const), value: whole }),
  fc.record({ type: fc.constant("string" as const), value: text }),
  fc.record({ type: fc.constant("tensor" as const), value: tensor }),
  fc.record({ type: fc.constant("type" as const), value: type }),
  fc.record({ type: fc.constant("floats" as const), value: listed(float) }),
  fc.record({ type: fc.constant("ints" as const), value: listed(whole) }),
  fc.record({ type: fc.constant("strings" as const), value: listed(text) }),
  fc.record({ type: fc.constant("tensors" as const), value: listed(tensor) }),
  fc.record({ type: fc.constant("types" as const), value: listed(type) }),
);

const nodeSpec = fc.record({
  op: name,
  domain: fc.option(name, { nil: "" }),
  overload: fc.option(name, { nil: "" }),
  label: fc.option(name, { nil: "" }),
  inputs: fc.array(fc.nat(), { maxLength: 4 }),
  outputs: fc.array(fc.option(name, { nil: "" }), { minLength: 1, maxLength: 3 }),
  attributes: fc.array(fc.tuple(name, attribute), { maxLength: 3 }),
  hasBody: fc.boolean(),
});
type NodeSpec = typeof nodeSpec extends fc.Arbitrary<infer T> ? T : never;

const model = fc
  .record({
    inputs: fc.array(fc.tuple(name, fc.option(type, { nil: undefined })), { maxLength: 3 }),
    constants: fc.array(fc.tuple(name, tensor), { maxLength: 3 }),
    nodes: fc.array(nodeSpec, { maxLength: 5 }),
    outputs: fc.array(fc.nat(), { maxLength: 3 }),
    metadata: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 2 }),
    version: whole,
  })
  .map(({ inputs, constants, nodes, outputs, metadata, version }) => {
    const graph = new Graph("a graph");
    for (const [hint, valueType] of inputs) graph.addInput(graph.names.spare(hint), valueType);
    for (const [hint, data] of constants) graph.addInitializer(hint, data);
    for (const spec of nodes) insertNode(graph, spec);
    const values = [...graph.values()];
    if (values.length > 0) for (const at of outputs) graph.addOutput(values[at % values.length]!);
    const made = new Model(graph, [["", 21]]);
    made.modelVersion = version;
    for (const [key, value] of metadata) made.metadata.set(key, value);
    return made;
  });

function insertNode(graph: Graph, { inputs, attributes, hasBody, label, ...spec }: NodeSpec): void {
  const values = [null, ...graph.values()];
  const all = new Map(attributes);
  if (hasBody) {
    const body = new Graph("body", graph.names);
    const captured = values.at(-1) ?? body.addInput(graph.names.spare("i"));
    body.addOutput(body.insert({ op: "Neg", inputs: [captured], outputs: ["inner"] }).output);
    all.set("body", { type: "graph", value: body });
  }
  const chosen = inputs.map((at) => values[at % values.length]!);
  while (chosen.at(-1) === null) chosen.pop();
  const node = graph.insert({ ...spec, name: label, inputs: chosen, attributes: all });
  const first = node.outputs.find((v) => v.name);
  if (first && hasBody) first.type = { kind: "tensor", dtype: "float32", shape: [2] };
}

test("any model is the same after it was written and read", () => {
  fc.assert(
    fc.property(model, (made) => {
      check(made);
      const written = printModel(made, { tensors: "full" });
      const read = parseModel(written);
      check(read);
      expect(plain(read)).toEqual(plain(made));
      expect(printModel(read, { tensors: "full" })).toBe(written);
    }),
    { numRuns: 500 },
  );
});

/** A model as plain data; NaN is NaN whatever its bits, and text does not keep the difference. */
function plain(made: Model): unknown {
  const one = (t: Tensor) => ({ dtype: t.dtype, shape: t.shape, data: Array.from(t.data as ArrayLike<unknown>) });
  const graph = (g: Graph): unknown => ({
    name: g.name,
    inputs: g.inputs.map((v) => [v.name, v.type]),
    constants: [...g.initializers].map((v) => [v.name, v.type, one(v.initializer!)]),
    outputs: g.outputs.map((v) => v.name),
    nodes: [...g.nodes].map((n) => ({
      op: [n.domain, n.op, n.overload, n.name],
      inputs: n.inputs.map((v) => v?.name ?? ""),
      outputs: n.outputs.map((v) => [v.name, v.name && v.type]),
      attributes: [...n.attributes].map(([key, a]) => [key, a.type, deep(a.value)]),
    })),
  });
  const deep = (value: unknown): unknown => {
    if (value instanceof Graph) return graph(value);
    if (value instanceof Tensor) return one(value);
    return Array.isArray(value) ? value.map(deep) : value;
  };
  return { graph: graph(made.graph), metadata: [...made.metadata], version: made.modelVersion };
}
