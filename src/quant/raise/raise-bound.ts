/** A Min or Max of integers with a constant, between quantizers (lower/bound.ts): back to one of floats with a quantizer of its own. */
import { constantBound } from "../../facts/inner.ts";
import { addNode, type Node } from "../../ir/inner.ts";
import { replaceNode } from "../../passes/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

export function raiseBound(node: Node): void {
  const graph = node.graph!;
  const found = constantBound(node);
  const integers = found?.bound.initializer;
  const dequantize = node.output?.consumers()[0];
  const scale = dequantize?.op === "DequantizeLinear" ? dequantize.input(1)?.initializer : undefined;
  if (!found || !integers || node.output.useCount !== 1 || scale?.size !== 1) return;
  if (integers.dtype !== "uint8" && integers.dtype !== "int8") return;
  const [, step, zero] = dequantize!.inputs;
  const point = zero?.initializer?.numbers()[0] ?? 0;
  const { name } = node.output;
  const floats = Float32Array.from(integers.numbers(), (q) => (q - point) * scale.floats()[0]!);
  const bound = graph.addInitializer(`${name}_float_bound`, Tensor.float32(integers.shape, floats));
  const numbers = addNode(graph, "DequantizeLinear", [found.x, step!, zero ?? null], {}, { place: { before: node } });
  const bare = name.replace(/_quantized$/, "");
  const spec = { output: bare, place: { before: node } };
  const among = addNode(graph, node.op, [numbers.output, bound], {}, spec);
  replaceNode(node, { op: "QuantizeLinear", inputs: [among.output, step!, zero ?? null] });
}
