/**
 * Transposes that the importer put behind quantizers become units of their own: DequantizeLinear, Transpose, QuantizeLinear,
 * DequantizeLinear. The numbers stay, and runtimes move such units as integers; ONNX Runtime 1.30 writes a node of mixed types
 * (`output_dtype` int8 next to a zero point of uint8) when it has to complete them by itself.
 */
import { addNode, type Graph, type Node } from "../../ir/inner.ts";

export function completeMoves(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    for (const body of node.subgraphs()) completeMoves(body);
    if (node.op === "Transpose") complete(graph, node);
  }
}

function complete(graph: Graph, node: Node): void {
  const dequantize = node.inputs[0]?.producer;
  const quantize = dequantize?.inputs[0]?.producer;
  if (dequantize?.op !== "DequantizeLinear" || quantize?.op !== "QuantizeLinear") return;
  const readers = [...node.output.uses()];
  if (readers.every((use) => "node" in use && use.node.op === "QuantizeLinear")) return;
  const [, scale, zero] = quantize.inputs;
  const hint = node.output.name;
  const integers = addNode(
    graph,
    "QuantizeLinear",
    [node.output, scale!, zero ?? null],
    {},
    { output: hint, place: { after: node } },
  );
  const place = { after: integers };
  const floats = addNode(
    graph,
    "DequantizeLinear",
    [integers.output, scale!, zero ?? null],
    {},
    { output: hint, place },
  );
  floats.output.type = node.output.type;
  for (const use of readers) {
    if ("node" in use) use.node.graph!.setInput(use.node, use.index, floats.output);
  }
  const outputs = graph.outputs.map((value) => (value === node.output ? floats.output : value));
  if (outputs.some((value, i) => value !== graph.outputs[i])) graph.setOutputs(outputs);
}
