/** One model with every part of the file format, made by the onnx package (tools/onnx_everything.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { modelSummary } from "../../../test/model-summary.ts";
import { type Attribute, check, cloneModel, type Graph, type Model, type Node } from "../../ir/inner.ts";
import { type DType, dtypes, type TensorData } from "../../tensor/inner.ts";
import { readModel, writeModel } from "../inner.ts";

const text = readFileSync(new URL("everything.onnx.txt", import.meta.url), "latin1");
const original = readModel(Buffer.from(text, "base64"), { name: "everything.onnx" });
const rewritten = readModel(writeModel(original), { name: "everything.onnx" });

/** What the maker wrote, in host form: half floats are bit patterns, low-bit types packed bytes. */
const expected: Record<DType, TensorData> = {
  float32: Float32Array.of(0, 1, 2, 3),
  uint8: Uint8Array.of(0, 1, 2, 255),
  int8: Int8Array.of(-2, -1, 0, 1),
  uint16: Uint16Array.of(0, 1, 2, 65535),
  int16: Int16Array.of(-2, -1, 0, -32768),
  int32: Int32Array.of(-2, -1, 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-2n, -1n, 2n ** 53n + 1n, -(2n ** 63n)),
  bool: Uint8Array.of(0, 1, 1, 0),
  float16: Uint16Array.of(0, 0x3c00, 0xc000, 0x3800),
  bfloat16: Uint16Array.of(0, 0x3f80, 0xc000, 0x3f00),
  float64: Float64Array.of(0, 1, 2, 1e300),
  uint32: Uint32Array.of(0, 1, 2, 2 ** 32 - 1),
  uint64: BigUint64Array.of(0n, 1n, 2n, 2n ** 64n - 1n),
  complex64: Float32Array.of(0, 1, 2, 3),
  complex128: Float64Array.of(0, 1, 2, 3),
  float8e4m3fn: Uint8Array.of(0, 0x38, 0xb8, 0x7f),
  float8e4m3fnuz: Uint8Array.of(0, 0x38, 0xb8, 0x80),
  float8e5m2: Uint8Array.of(0, 0x3c, 0xbc, 0x7f),
  float8e5m2fnuz: Uint8Array.of(0, 0x3c, 0xbc, 0x80),
  float8e8m0: Uint8Array.of(0, 127, 128, 255),
  uint4: Uint8Array.of(0x10, 0x0f),
  int4: Uint8Array.of(0xfe, 0x07),
  float4e2m1: Uint8Array.of(0x20, 0x0f),
  uint2: Uint8Array.of(0b11100100, 1),
  int2: Uint8Array.of(0b01001110, 3),
  string: ["", "naïve", "\ufffd\ufffd"],
};

describe.each([
  ["as made by the onnx package", original],
  ["written and read again", rewritten],
])("%s", (_, model) => {
  const values = model.graph.valuesByName();

  test.each(Object.keys(dtypes) as DType[])("a tensor of %s", (dtype) => {
    const tensor = values.get(dtype)!.initializer!;
    expect(tensor.dtype).toBe(dtype);
    expect(tensor.data).toEqual(expected[dtype]);
  });

  test("a tensor without elements, and one with a note", () => {
    expect(values.get("empty")!.initializer).toMatchObject({ shape: [0, 3], size: 0 });
    expect(values.get("raw")!.initializer!.floats()).toEqual(Float32Array.of(1, 2, 3));
  });

  test("every kind of attribute", () => {
    const node = nodeNamed(model, "every");
    const plain = Object.fromEntries(node.attributes);
    expect(plain).toMatchObject({
      f: { type: "float", value: Math.fround(0.1) },
      i: { type: "int", value: -(2n ** 63n) },
      s: { type: "string", value: "text" },
      s_bytes: { type: "string", value: Uint8Array.of(0xff, 0) },
      tp: { type: "type", value: { kind: "tensor", dtype: "int64", shape: ["n"] } },
      floats: { type: "floats", value: [0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] },
      ints: { type: "ints", value: [1, -1, 2n ** 53n + 1n] },
      strings: { type: "strings", value: ["a", Uint8Array.of(0xff)] },
      tps: {
        type: "types",
        value: [
          { kind: "tensor", dtype: "int64", shape: ["n"] },
          { kind: "tensor", dtype: "float32", shape: null },
        ],
      },
      sparse: { type: "opaque" },
      sparses: { type: "opaque" },
      no_ints: { type: "ints", value: [] },
    });
    expect(node.tensor("t")!.floats()).toEqual(Float32Array.of(1, 2, 3));
    expect((plain.tensors as Attribute & { type: "tensors" }).value.map((t) => t.dtype)).toEqual([
      "float32",
      "float32",
    ]);
    expect([...node.subgraphs()].map((g) => g.name)).toEqual(["body", "body_a", "body_b"]);
    expect(node).toMatchObject({ overload: "v2", docString: "a note on a node" });
    expect(node.inputs.map((v) => v?.name)).toEqual(["x", undefined, "raw"]);
    expect(node.outputs.map((v) => v.name)).toEqual(["e"]);
  });

  test("types, dynamic axes and notes of values", () => {
    const types = Object.fromEntries(model.graph.inputs.map((v) => [v.name, v.type]));
    expect(types).toEqual({
      x: { kind: "tensor", dtype: "float32", shape: ["batch", 3, null] },
      cond: { kind: "tensor", dtype: "bool", shape: [] },
      raw: { kind: "tensor", dtype: "float32", shape: [3] },
      seq: { kind: "sequence", of: { kind: "tensor", dtype: "float32", shape: null } },
      opt: { kind: "optional", of: { kind: "sequence", of: { kind: "tensor", dtype: "float32", shape: null } } },
      map: { kind: "map", key: "int64", of: { kind: "tensor", dtype: "float32", shape: [1] } },
      sp: { kind: "sparse-tensor", dtype: "float32", shape: [5] },
      opaque: undefined,
    });
    expect(values.get("x")).toMatchObject({ docString: "a note on an input" });
    expect(values.get("x")!.metadata).toEqual(new Map([["input", "metadata"]]));
    expect(values.get("described")).toMatchObject({ docString: "a note on a value" });
    expect(model.graph.outputs.map((v) => v.name)).toEqual(["y", "z", "x", "y"]);
  });

  test("sibling bodies may repeat names, and capture values of the graph around them", () => {
    const [yes, no] = [...nodeNamed(model, "choose").subgraphs()] as [Graph, Graph];
    expect([yes.name, no.name].sort()).toEqual(["else", "then"]);
    for (const body of [yes, no]) {
      expect(body.outputs[0]!.name).toBe("branch_out");
      expect([...body.nodes][0]!.input(0)).toBe(values.get("x"));
    }
    expect(yes.outputs[0]).not.toBe(no.outputs[0]);
    check(model);
  });

  test("an input with a default, and a sparse initializer as a Constant", () => {
    expect(values.get("raw")!.isGraphInput).toBe(true);
    expect(values.get("sparse")!.producer!.attributes.get("sparse_value")!.type).toBe("opaque");
  });

  test("functions", () => {
    const [f] = model.functions;
    expect(f).toMatchObject({
      name: "Scaled",
      domain: "test.custom",
      attributes: ["beta"],
      docString: "a note on a function",
      opsets: new Map([["", 21]]),
      metadata: new Map([["function", "metadata"]]),
      defaults: new Map([["alpha", { type: "float", value: 1 }]]),
    });
    const [constant] = f!.body.nodes;
    expect(constant!.attributes.get("value_float")).toEqual({ type: "reference", value: "alpha", of: "float" });
    expect(constant!.output.type).toMatchObject({ dtype: "float32" });
  });

  test("what the file says about itself", () => {
    expect(model).toMatchObject({
      irVersion: 11,
      producerName: "producer",
      producerVersion: "1.2.3",
      domain: "test.domain",
      modelVersion: 2n ** 60n + 1n,
      docString: "a note on a model",
      source: "everything.onnx",
    });
    expect(model.metadata).toEqual(new Map([["model", "metadata"]]));
    expect(model.opsets).toEqual(
      new Map([
        ["", 21],
        ["test.custom", 1],
      ]),
    );
    // Kept as bytes: training information, device configurations, quantization annotations.
    expect(Buffer.concat(model.trainingInfo).includes("raw")).toBe(true);
    expect(Buffer.from(model.unknownFields!).includes("cpu")).toBe(true);
    expect(Buffer.from(model.graph.unknownFields!).includes("SCALE_TENSOR")).toBe(true);
    expect(Buffer.from(nodeNamed(model, "every").unknownFields!).includes("cpu")).toBe(true);
  });
});

test("nothing is lost between reading and writing", () => {
  expect(modelSummary(rewritten)).toEqual(modelSummary(original));
  expect(Buffer.compare(writeModel(rewritten), writeModel(original))).toBe(0);
  // Notes that the graph has no place for.
  const written = Buffer.from(writeModel(original));
  for (const note of ["a note on a tensor", "a note on an attribute", "DATA_BATCH", "IMAGE", "Thing", "tensor"]) {
    expect(written.includes(note), note).toBe(true);
  }
  expect(written.includes("long gone")).toBe(false);
});

test("a copy says the same as the original", () => {
  expect(modelSummary(readModel(writeModel(cloneModel(original))))).toEqual(modelSummary(original));
});

test("a string tensor keeps bytes that are not UTF-8", () => {
  expect(Buffer.from(writeModel(original)).includes(Buffer.from([0x32, 2, 0xff, 0xfe]))).toBe(true);
});

function nodeNamed(model: Model, name: string): Node {
  for (const node of model.graph.nodes) if (node.name === name) return node;
  throw new Error(`expected a node named ${name}`);
}
