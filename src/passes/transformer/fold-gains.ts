/** Gains and biases of normalizations go into the layers that read them, so that what is left commutes with rotations of the stream. */
import { isRefused } from "../../base/inner.ts";
import { isOp } from "../../facts/inner.ts";
import { addNode, type Graph, type Node, type Use, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type EditableLayer, wholeLayer } from "../layers/editable.ts";
import { scaleInput } from "../layers/scale.ts";
import { replaceConstant } from "../replace-constant.ts";
import type { Norm, Parameter } from "./norms.ts";
import type { ResidualStream } from "./residual-stream.ts";

/**
 * Takes the gains and biases out of the normalizations of a stream; returns the products [width, width] that now stand before heads which
 * read a table of the stream itself: such a table holds no gain, as the embedding reads it, too. What is no layer gets its gain in operators
 * of its own. The graph is changed.
 */
export function foldGains(graph: Graph, stream: ResidualStream): EditableLayer[] {
  const tables = tablesOf(stream);
  return stream.norms.flatMap((norm) => foldGain(graph, norm, stream.width, tables));
}

function foldGain(graph: Graph, norm: Norm, width: number, tables: ReadonlySet<Value>): EditableLayer[] {
  const scale = spread(norm.gain, width, 1);
  const shift = spread(norm.bias, width, 0);
  const plain = withoutParameters(graph, norm);
  const tied: Use[] = [];
  const others: Use[] = [];
  for (const use of [...plain.uses()].filter((use) => !("node" in use && norm.nodes.has(use.node)))) {
    const layer = "node" in use ? layerReading(use) : undefined;
    if ("node" in use && readsTable(use.node, tables)) tied.push(use);
    else if (layer) scaleInput(layer, { scale, shift });
    else others.push(use);
  }
  const first = (uses: readonly Use[]) => uses.flatMap((use) => ("node" in use ? use.node : []))[0];
  const redirect = (uses: readonly Use[], to: Value) =>
    graph.replaceUses(plain, to, (use) => uses.some((one) => isSameUse(one, use)));
  const hasParameters = norm.gain !== undefined || norm.bias !== undefined;
  if (others.length > 0 && hasParameters) redirect(others, scaled(graph, plain, scale, shift, first(others)));
  if (tied.length === 0) return [];
  const product = diagonal(graph, plain, scale, shift, first(tied));
  redirect(tied, product.result);
  return [product.layer];
}

/** Whether both are the same place. */
export const isSameUse = (a: Use, b: Use): boolean =>
  a.index === b.index && ("node" in a ? "node" in b && a.node === b.node : !("node" in b) && a.graph === b.graph);

/** The layer that reads this value as its rows, if it is one whose weights can be edited. */
export function layerReading(use: Use): EditableLayer | undefined {
  if (!("node" in use) || use.index !== 0 || !isOp(use.node, "MatMul", "Gemm")) return undefined;
  if (use.node.int("transA", 0) !== 0) return undefined;
  const layer = wholeLayer(use.node);
  return layer && !isRefused(layer) ? layer : undefined;
}

/** The tables whose rows begin the stream. */
export function tablesOf({ writers }: ResidualStream): ReadonlySet<Value> {
  return new Set(writers.flatMap((writer) => (writer.kind === "table" ? writer.gather.input(0)! : [])));
}

/** Whether the node multiplies by a table, or by a table that a Transpose turns. */
export function readsTable(node: Node, tables: ReadonlySet<Value>): boolean {
  if (!isOp(node, "MatMul", "Gemm")) return false;
  const weight = node.input(1);
  return [weight, isOp(weight?.producer, "Transpose") ? weight.producer.input(0) : null].some(
    (value) => value != null && tables.has(value),
  );
}

function spread(parameter: Parameter | undefined, width: number, neutral: number): number[] {
  const numbers = parameter?.tensor.numbers() ?? [neutral];
  return Array.from({ length: width }, (_, c) => numbers[numbers.length === 1 ? 0 : c]!);
}

/** The value that the normalization returns without gain and bias; all that read its result read this one. */
function withoutParameters(graph: Graph, { gain, bias, result, nodes }: Norm): Value {
  for (const parameter of [gain, bias]) {
    if (parameter?.node.output === result && nodes.size === 1) {
      const { node, index, tensor } = parameter;
      const neutral = Tensor.float32(tensor.shape, new Float32Array(tensor.size).fill(parameter === gain ? 1 : 0));
      replaceConstant(graph, node, index, neutral, `${result.name}_plain`);
    }
  }
  if (nodes.size === 1 || !gain) return result;
  const plain = gain.node.input(1 - gain.index)!;
  graph.replaceUses(result, plain);
  for (const node of [bias?.node, gain.node]) if (node?.output.useCount === 0) graph.remove(node);
  return plain;
}

function scaled(
  graph: Graph,
  value: Value,
  scale: readonly number[],
  shift: readonly number[],
  before: Node | undefined,
): Value {
  const options = before ? { place: { before } } : {};
  const constant = (numbers: readonly number[], what: string) =>
    graph.addInitializer(`${value.name}_${what}`, Tensor.float32([numbers.length], numbers));
  const product = addNode(graph, "Mul", [value, constant(scale, "gain")], {}, options).output;
  if (shift.every((b) => b === 0)) return product;
  return addNode(graph, "Add", [product, constant(shift, "bias")], {}, options).output;
}

function diagonal(
  graph: Graph,
  value: Value,
  scale: readonly number[],
  shift: readonly number[],
  before: Node | undefined,
): { layer: EditableLayer; result: Value } {
  const width = scale.length;
  const entries = new Float32Array(width * width);
  for (const [c, s] of scale.entries()) entries[c * width + c] = s;
  const name = `${value.name}_to_table`;
  const weight = graph.addInitializer(`${name}.weight`, Tensor.float32([width, width], entries));
  const options = { name, output: name, ...(before ? { place: { before } } : {}) };
  const product = addNode(graph, "MatMul", [value, weight], {}, options);
  const biased = shift.some((b) => b !== 0);
  const result = biased
    ? addNode(
        graph,
        "Add",
        [product.output, graph.addInitializer(`${name}.bias`, Tensor.float32([width], shift))],
        {},
        before ? { place: { before } } : {},
      ).output
    : product.output;
  const layer = wholeLayer(product);
  if (!layer || isRefused(layer)) throw new Error(`internal: ${name} is no layer`);
  return { layer, result };
}
