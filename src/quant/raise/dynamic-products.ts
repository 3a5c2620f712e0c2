/**
 * Products of integers whose inputs are rounded as the model runs: DynamicQuantizeLinear, MatMulInteger or ConvInteger, a Cast and a Mul by both scales,
 * as quantize_dynamic writes them, and the operators that ONNX Runtime's optimiser makes of them. They become products of floats with a weight that is
 * stored for the same form. An input with a constant scale (rows of a quantized table) is dequantized instead.
 */
import { addNode, type Graph, type Node, type Value } from "../../ir/inner.ts";
import { replaceNode } from "../../passes/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { floatWeight } from "./float-weight.ts";

/** The integers of a product, and what makes floats of them. */
interface Product {
  /** The node whose output is the float result. */
  readonly last: Node;
  readonly op: "MatMul" | "Conv";
  readonly input: { readonly integers: Value; readonly scale: Value | null; readonly zero: Value | null };
  readonly weight: { readonly integers: Value; readonly scale: Tensor; readonly zero: Tensor | undefined };
  readonly bias: Value | null;
  /** The node with the attributes of the product. */
  readonly node: Node;
}

/** The entries of the weights of all dynamic products that are understood; others stay as they are. */
export function raiseDynamicProducts(graph: Graph): PlanEntry[] {
  const entries: PlanEntry[] = [];
  for (const node of [...graph.nodes]) {
    const product = node.graph === graph ? productOf(node) : undefined;
    if (!product) continue;
    const input = floatInput(graph, product);
    if (!input) continue;
    const { integers, scale, zero } = product.weight;
    const shape = integers.initializer!.shape;
    const axis = product.op === "Conv" ? 0 : shape.length - 1;
    if (scale.size !== 1 && scale.size !== shape[axis]) continue;
    const granularity = scale.size === 1 ? ({ kind: "tensor" } as const) : ({ kind: "channel", axis } as const);
    const { value, entry } = floatWeight(graph, { integers, scale, zero, granularity, node: product.node });
    write(graph, product, input.value, value);
    // What has a constant scale is read as it is: the weight stays behind a DequantizeLinear.
    entries.push(input.dynamic ? { ...entry, storage: "dynamicint8" } : entry);
  }
  return entries;
}

function write(graph: Graph, { last, op, bias, node }: Product, input: Value, weight: Value): void {
  const attributes = op === "Conv" ? Object.fromEntries(node.attributes) : {};
  if (!bias) {
    replaceNode(last, { op, inputs: [input, weight], attributes });
    return;
  }
  const product = addNode(graph, op, [input, weight], attributes, { name: node.name, place: { before: last } });
  replaceNode(last, { op: "Add", inputs: [product.output, bias] });
}

/** The float value in front of the integers: of a dynamic quantizer what it reads, else what a new DequantizeLinear returns. */
function floatInput(
  graph: Graph,
  { input, node }: Product,
): { readonly value: Value; readonly dynamic: boolean } | undefined {
  const { integers, scale, zero } = input;
  const { producer } = integers;
  if (producer?.op === "DynamicQuantizeLinear") {
    const [, itsScale, itsZero] = producer.outputs;
    const same = integers === producer.output && scale === itsScale && (zero === itsZero || zero === null);
    const source = producer.input(0);
    return same && source ? { value: source, dynamic: true } : undefined;
  }
  if (node.op === "DynamicQuantizeMatMul") return { value: integers, dynamic: true };
  if (scale?.initializer?.size !== 1) return undefined;
  const name = `${integers.name}_dequantized`;
  const made = addNode(
    graph,
    "DequantizeLinear",
    [integers, scale, zero],
    {},
    { output: name, place: { before: node } },
  );
  return { value: made.output, dynamic: false };
}

function productOf(node: Node): Product | undefined {
  if (!node.input(0) || node.outputs.length === 0) return undefined;
  if (node.op === "MatMulInteger" || node.op === "ConvInteger") return scaledProduct(node);
  const fused = node.op === "DynamicQuantizeMatMul" || node.op === "MatMulIntegerToFloat";
  if (!fused) return undefined;
  const dynamic = node.op === "DynamicQuantizeMatMul";
  const [scaleAt, zeroAt, biasAt] = dynamic ? [2, 3, 4] : [3, 5, 6];
  const scale = node.input(scaleAt!)?.initializer;
  const zero = node.input(zeroAt!);
  const integers = constantIntegers(node.input(1));
  if (!scale || !integers || (zero && !zero.initializer)) return undefined;
  return {
    last: node,
    op: "MatMul",
    input: { integers: node.input(0)!, scale: dynamic ? null : node.input(2), zero: dynamic ? null : node.input(4) },
    weight: { integers, scale, zero: zero?.initializer },
    bias: node.input(biasAt!),
    node,
  };
}

/** MatMulInteger or ConvInteger with the Cast and the Mul by the product of both scales behind it. */
function scaledProduct(node: Node): Product | undefined {
  const integers = constantIntegers(node.input(1));
  const zero = node.input(3);
  const cast = onlyReader(node, "Cast");
  const last = cast && onlyReader(cast, "Mul");
  const both = last?.inputs.find((value) => value !== cast!.output)?.producer;
  if (!integers || !last || both?.op !== "Mul" || (zero && !zero.initializer)) return undefined;
  const [first, second] = [both.input(0), both.input(1)];
  if (!first || !second) return undefined;
  const [scale, weightScale] = second.initializer ? [first, second] : [second, first];
  if (!weightScale.initializer) return undefined;
  return {
    last,
    op: node.op === "ConvInteger" ? "Conv" : "MatMul",
    input: { integers: node.input(0)!, scale, zero: node.input(2) },
    weight: { integers, scale: weightScale.initializer, zero: zero?.initializer },
    bias: null,
    node,
  };
}

function onlyReader({ outputs: [value] }: Node, op: string): Node | undefined {
  const [reader] = value?.consumers() ?? [];
  return value?.useCount === 1 && reader?.op === op ? reader : undefined;
}

function constantIntegers(value: Value | null): Value | undefined {
  const dtype = value?.initializer?.dtype;
  return dtype === "int8" || dtype === "uint8" ? value! : undefined;
}
