/**
 * QOperator files: each operator of integers becomes the operator of floats between DequantizeLinear and QuantizeLinear that it stands for, which is
 * what the standard defines it by. Then quantizers are read as those of any other file.
 */
import { AvocetError } from "../../base/inner.ts";
import { type AttributeLike, addNode, type Graph, type Model, type Node, type Value } from "../../ir/inner.ts";
import { replaceNode } from "../../passes/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { integerOperators } from "./read-quantized.ts";

/** Integers with their scale and zero point; `axis` where scales are per channel. */
interface Read {
  readonly value: Value;
  readonly scale: Value;
  readonly zero: Value | null;
  readonly axis?: number;
}

interface Meaning {
  readonly op: string;
  readonly inputs: readonly (Read | Value | null)[];
  readonly attributes: Readonly<Record<string, AttributeLike>>;
  /** Absent: the operator returns floats. */
  readonly output?: { readonly scale: Value; readonly zero: Value | null };
  /** A grid that begins at zero is a Relu that the writer has left to the quantizer. */
  readonly mayHoldRelu?: true;
}

type Row = (node: Node, model: Model) => Meaning;
type IntegerOperator = (typeof integerOperators)[number];

const rows: Readonly<Record<IntegerOperator, Row>> = {
  QLinearConv(node) {
    refuseUnless(node, node.int("channels_last", 0) === 0, "channels in front of positions", "channels last");
    const [x, w] = [read(node, 0), { ...read(node, 3), axis: 0 }];
    return {
      op: "Conv",
      inputs: [x, w, biasOf(node, 8, x, w, 1)],
      attributes: attributesOf(node, "channels_last"),
      output: { scale: needed(node, 6), zero: node.input(7) },
      mayHoldRelu: true,
    };
  },
  QLinearMatMul(node) {
    const b = read(node, 3);
    const rank = b.value.initializer?.shape.length;
    return {
      op: "MatMul",
      inputs: [read(node, 0), rank === undefined ? b : { ...b, axis: rank - 1 }],
      attributes: {},
      output: { scale: needed(node, 6), zero: node.input(7) },
      mayHoldRelu: true,
    };
  },
  QGemm(node) {
    const [a, b] = [read(node, 0), { ...read(node, 3), axis: node.int("transB", 0) === 1 ? 0 : 1 }];
    const scale = node.input(7);
    return {
      op: "Gemm",
      inputs: [a, b, biasOf(node, 6, a, b, node.float("alpha", 1))],
      attributes: attributesOf(node),
      ...(scale && { output: { scale, zero: node.input(8) }, mayHoldRelu: true as const }),
    };
  },
  QLinearAdd: (node) => ({ ...binary("Add", node), mayHoldRelu: true }),
  QLinearMul: (node) => binary("Mul", node),
  QLinearSigmoid: (node) => unary("Sigmoid", node),
  QLinearLeakyRelu: (node) => unary("LeakyRelu", node),
  QLinearSoftmax(node) {
    const [axis, old] = [node.int("axis", -1), node.int("opset", 13) < 13];
    refuseUnless(
      node,
      !old || axis === -1,
      "a Softmax over the last axis where its operator set is below 13",
      `${axis}`,
    );
    return { ...unary("Softmax", node), attributes: { axis } };
  },
  QLinearAveragePool(node) {
    refuseUnless(node, node.int("channels_last", 0) === 0, "channels in front of positions", "channels last");
    return { ...unary("AveragePool", node), attributes: attributesOf(node, "channels_last") };
  },
  QLinearGlobalAveragePool(node) {
    refuseUnless(node, node.int("channels_last", 0) === 0, "channels in front of positions", "channels last");
    return { ...unary("GlobalAveragePool", node), attributes: {} };
  },
  QLinearReduceMean(node, model) {
    const made = unary("ReduceMean", node);
    const axes = node.ints("axes", []);
    if (model.opset < 18) return made;
    const constant = node.graph!.addInitializer(`${node.output.name}_axes`, Tensor.int64([axes.length], axes));
    return { ...made, inputs: [...made.inputs, constant], attributes: { keepdims: node.int("keepdims", 1) } };
  },
  QLinearConcat(node) {
    const inputs: Read[] = [];
    for (let i = 2; i < node.inputs.length; i += 3) inputs.push(read(node, i));
    return {
      op: "Concat",
      inputs,
      attributes: attributesOf(node),
      output: { scale: needed(node, 0), zero: node.input(1) },
    };
  },
  QLinearWhere: (node) => ({
    op: "Where",
    inputs: [needed(node, 0), read(node, 1), read(node, 4)],
    attributes: {},
    output: { scale: needed(node, 7), zero: node.input(8) },
  }),
};

/** Rewrites all of them; returns how many Relus were written where grids begin at zero. Throws `quant/unsupported-model`. */
export function withQuantizers(model: Model): number {
  const { graph } = model;
  let relus = 0;
  for (const node of [...graph.nodes]) {
    if (!Object.hasOwn(rows, node.op) || node.outputs.length === 0) continue;
    const meaning = rows[node.op as IntegerOperator](node, model);
    const inputs = meaning.inputs.map((input) => (input && "scale" in input ? dequantized(graph, node, input) : input));
    const { op, attributes, output } = meaning;
    if (!output) {
      replaceNode(node, { op, inputs, attributes });
      continue;
    }
    const name = node.output.name.replace(/_quantized$/, "");
    const place = { before: node };
    let made = addNode(graph, op, inputs, attributes, { name: node.name, output: `${name}_float`, place }).output;
    if (meaning.mayHoldRelu && beginsAtZero(output.zero)) {
      made = addNode(graph, "Relu", [made], {}, { output: `${name}_relu`, place }).output;
      relus++;
    }
    replaceNode(node, { op: "QuantizeLinear", inputs: [made, output.scale, output.zero] });
  }
  return relus;
}

function dequantized(graph: Graph, node: Node, { value, scale, zero, axis }: Read): Value {
  const attributes = axis === undefined || scale.initializer?.size === 1 ? {} : { axis };
  const name = `${value.name}_dequantized`;
  const made = addNode(graph, "DequantizeLinear", [value, scale, zero], attributes, {
    output: name,
    place: { before: node },
  });
  return made.output;
}

/** int32 on the grid of the products. */
function biasOf(node: Node, index: number, x: Read, w: Read, alpha: number): Read | null {
  const value = node.input(index);
  if (!value) return null;
  const [input, weight] = [x.scale.initializer, w.scale.initializer];
  refuseUnless(node, input !== undefined && weight !== undefined, "constant scales", "computed ones");
  const [first] = input!.floats();
  const scales = Float32Array.from(weight!.floats(), (scale) => alpha * first! * scale);
  const scale = node.graph!.addInitializer(
    `${value.name}_scale`,
    Tensor.float32(scales.length === 1 ? [] : [scales.length], scales),
  );
  return { value, scale, zero: null, axis: 0 };
}

/** The zero point is the lowest integer: nothing below zero has a place on the grid. */
function beginsAtZero(zero: Value | null): boolean {
  const tensor = zero?.initializer;
  return zero === null || (tensor !== undefined && tensor.numbers()[0] === (tensor.dtype === "int8" ? -128 : 0));
}

function read(node: Node, index: number): Read {
  return { value: needed(node, index), scale: needed(node, index + 1), zero: node.input(index + 2) };
}

function needed(node: Node, index: number): Value {
  const value = node.input(index);
  refuseUnless(node, value !== null, `input ${index}`, "none");
  return value!;
}

function unary(op: string, node: Node): Meaning {
  const output = { scale: needed(node, 3), zero: node.input(4) };
  return { op, inputs: [read(node, 0)], attributes: attributesOf(node), output };
}

function binary(op: string, node: Node): Meaning {
  const output = { scale: needed(node, 6), zero: node.input(7) };
  return { op, inputs: [read(node, 0), read(node, 3)], attributes: {}, output };
}

function attributesOf(node: Node, ...without: readonly string[]): Readonly<Record<string, AttributeLike>> {
  return Object.fromEntries([...node.attributes].filter(([name]) => !without.includes(name)));
}

function refuseUnless(node: Node, holds: boolean, expected: string, got: string): void {
  if (holds) return;
  throw new AvocetError("quant/unsupported-model", `expected ${expected} of ${node.op}, got ${got}`, {
    at: `${node}`,
    hint: "take the float model that the file was made from",
  });
}
