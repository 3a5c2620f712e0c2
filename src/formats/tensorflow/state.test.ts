/** Operators that no small graph of TensorFlow has by itself: variables that are written, those of TensorFlow 1, fused ones of TensorFlow.js. */
import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { Faults } from "../onnx/scope.ts";
import { graphFromJson, type Json } from "../tfjs/json.ts";
import { graphFromProto, reference } from "./graph.ts";
import { importGraph, type Source } from "./import.ts";

const float = { type: "DT_FLOAT" };
const shape = (...lengths: number[]) => ({ shape: { dim: lengths.map((size) => ({ size: String(size) })) } });
const constant = (name: string, lengths: number[], floatVal: number[]) => ({
  name,
  op: "Const",
  attr: { dtype: float, value: { tensor: { dtype: "DT_FLOAT", tensorShape: shape(...lengths).shape, floatVal } } },
});
const whole = (name: string, value: number) => ({
  name,
  op: "Const",
  attr: { dtype: { type: "DT_INT32" }, value: { tensor: { dtype: "DT_INT32", tensorShape: {}, intVal: [value] } } },
});
const placeholder = { name: "x", op: "Placeholder", attr: { dtype: float } };

function imported(node: Json[], more: Partial<Source> = {}, lengths: number[] = [2]): Model {
  return importGraph({
    file: "hand",
    graph: graphFromProto(graphFromJson({ node: [placeholder, ...node] }, "hand"), "hand", new Faults()),
    inputs: [{ name: "x", node: "x", dtype: "float32", shape: lengths }],
    outputs: [{ name: "y", from: reference("y", false) }],
    ...more,
  });
}

async function run(model: Model, feeds: Feeds): Promise<Readonly<Record<string, number[]>>> {
  const runtime = await openRuntime();
  await using session = await runtime.open(model);
  const made = await session.run(feeds);
  return Object.fromEntries(Object.entries(made).map(([name, tensor]) => [name, tensor.numbers()]));
}

const x = Tensor.float32([2], [1, 2]);
const variable = {
  name: "v",
  op: "VarHandleOp",
  attr: { dtype: float, shape: shape(2), shared_name: { s: btoa("count") } },
};

describe("variables", () => {
  test.each([
    { op: "AssignAddVariableOp", after: [11, 22] },
    { op: "AssignSubVariableOp", after: [9, 18] },
    { op: "AssignVariableOp", after: [1, 2] },
  ])("$op: what was read before and after differs", async ({ op, after }) => {
    const model = imported([
      variable,
      { name: "before", op: "ReadVariableOp", input: ["v"] },
      { name: "write", op, input: ["v", "x", "^before"] },
      { name: "after", op: "ReadVariableOp", input: ["v", "^write"] },
      { name: "axis", op: "Const", attr: whole("axis", 0).attr },
      { name: "y", op: "ConcatV2", input: ["before", "after", "axis"] },
    ]);
    const made = await run(model, { x, count: Tensor.float32([2], [10, 20]) });
    expect(made).toEqual({ y: [10, 20, ...after], count_next: after });
  });

  test("of TensorFlow 1 are weights", async () => {
    const model = imported(
      [
        { name: "w", op: "VariableV2", attr: { dtype: float, shape: shape(2) } },
        { name: "y", op: "Mul", input: ["x", "w"] },
      ],
      { variable: (node) => (node.name === "w" ? Tensor.float32([2], [3, 4]) : Tensor.float32([], [0])) },
    );
    expect(await run(model, { x })).toEqual({ y: [3, 8] });
  });

  test("without values say so", () => {
    const nodes = [variable, { name: "y", op: "ReadVariableOp", input: ["v"] }];
    expect(() => imported(nodes)).toThrow(/values of the variable count/);
  });
});

test("a depthwise convolution with its bias and activation", async () => {
  const model = imported(
    [
      constant("w", [1, 1, 2, 1], [2, -3]),
      constant("b", [2], [1, 1]),
      {
        name: "y",
        op: "FusedDepthwiseConv2dNative",
        input: ["x", "w", "b"],
        attr: {
          strides: { list: { i: ["1", "1", "1", "1"] } },
          padding: { s: btoa("SAME") },
          fused_ops: { list: { s: [btoa("BiasAdd"), btoa("Relu")] } },
        },
      },
    ],
    {},
    [1, 1, 1, 2],
  );
  expect(await run(model, { x: Tensor.float32([1, 1, 1, 2], [5, 7]) })).toEqual({ y: [11, 0] });
});

test("the length of a list", async () => {
  const model = imported([
    { name: "l", op: "TensorListFromTensor", input: ["x"] },
    { name: "n", op: "TensorListLength", input: ["l"] },
    { name: "f", op: "Cast", input: ["n"], attr: { DstT: float } },
    { name: "y", op: "Mul", input: ["x", "f"] },
  ]);
  expect(await run(model, { x })).toEqual({ y: [2, 4] });
});

describe("what has no form in ONNX", () => {
  test("is reported all together, with the nodes and what helps", () => {
    const attempt = () =>
      imported([
        { name: "noise", op: "RandomUniform", input: ["x"] },
        { name: "a", op: "Bucketize", input: ["x"] },
        { name: "b", op: "Bucketize", input: ["a"] },
        { name: "c", op: "Bucketize", input: ["x"] },
        { name: "y", op: "AddN", input: ["b", "c", "noise"] },
      ]);
    expect(attempt).toThrow(/RandomUniform: random numbers belong to training.*\(noise\)/s);
    expect(attempt).toThrow(/Bucketize \(a, b, c\)/);
    // What only follows from a fault is none of its own.
    expect(attempt).not.toThrow(/AddN/);
    expect(attempt).toThrow(expect.objectContaining({ code: "import/unsupported-operator" }));
  });

  test("does not matter where nobody needs it", async () => {
    const model = imported([
      { name: "noise", op: "RandomUniform", input: ["x"] },
      { name: "check", op: "Assert", input: ["noise"] },
      {
        name: "no",
        op: "Const",
        attr: {
          dtype: { type: "DT_BOOL" },
          value: { tensor: { dtype: "DT_BOOL", tensorShape: {}, boolVal: [false] } },
        },
      },
      { name: "dropout", op: "Switch", input: ["x", "no"] },
      { name: "dropped", op: "Mul", input: ["dropout:1", "noise"] },
      { name: "merged", op: "Merge", input: ["dropout", "dropped"] },
      { name: "y", op: "Neg", input: ["merged", "^check"] },
    ]);
    expect(await run(model, { x })).toEqual({ y: [-1, -2] });
  });

  test("loops of TensorFlow 1 say how they can be exported", () => {
    const circle = [
      { name: "merge", op: "Merge", input: ["x", "next"] },
      { name: "next", op: "NextIteration", input: ["merge"] },
      { name: "y", op: "Exit", input: ["merge"] },
    ];
    expect(() => imported(circle)).toThrow(AvocetError);
  });
});
