/**
 * Keeps in float what the plan left in float. ONNX Runtime rounds float weights of a Conv, ConvTranspose or Gemm to int8 by
 * itself, with one scale for the tensor, where the input comes from a DequantizeLinear (its pass WeightBiasQuantization). For
 * MobileNet's depthwise layers that is ruin: 0.1 % instead of 56 % were right. A Max of one input, which changes nothing and is
 * not optimised away, between the two tells it not to.
 */
import { addNode, type Graph, type Node, type Value } from "../ir/index.ts";
import { movesData } from "./facts.ts";

/** Inserts a Max before every float product that reads dequantized numbers; returns how many. */
export function holdFloatProducts(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.domain !== "" || !["Conv", "ConvTranspose", "Gemm"].includes(node.op)) continue;
    if (node.input(1)?.initializer?.dtype !== "float32") continue;
    const reader = beforePadding(node);
    const x = reader.input(0);
    if (!x || !isDequantized(x)) continue;
    const held = addNode(graph, "Max", [x], {}, { output: `${x.name}_float`, place: { before: reader } }).output;
    if (x.type) held.type = x.type;
    graph.setInput(reader, 0, held);
    count++;
  }
  return count;
}

/** The paddings in front of a convolution, which the runtime takes into it: the Max must not come between. */
function beforePadding(node: Node): Node {
  let reader = node;
  for (
    let pad = reader.input(0)?.producer;
    pad?.op === "Pad" && pad.output.useCount === 1;
    pad = reader.input(0)?.producer
  ) {
    reader = pad;
  }
  return reader;
}

/** Whether it comes from a DequantizeLinear, also past data movement, through which the runtime shifts it. */
function isDequantized(value: Value): boolean {
  const source = value.producer;
  if (!source) return false;
  if (source.op === "DequantizeLinear") return true;
  const first = source.input(0);
  return (movesData(source) || source.op === "MaxPool") && first !== null && isDequantized(first);
}
