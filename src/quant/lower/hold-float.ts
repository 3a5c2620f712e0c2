/**
 * Keeps in float what the plan left in float. ONNX Runtime rounds float weights of a Conv, ConvTranspose or Gemm (which MatMul and
 * Add become) to int8 by itself, with one scale for the tensor, where the input comes from a DequantizeLinear (its pass WeightBiasQuantization). For
 * MobileNet's depthwise layers that is ruin: 0.1 % instead of 56 % were right. A Max of one input, which changes nothing and is
 * not optimised away, between the two tells it not to. So it does for what it would fuse and then not
 * run, or run wrongly.
 */
import { weightOperand } from "../../facts/inner.ts";
import { addNode, type Graph, type Node, type Value } from "../../ir/inner.ts";
import { isFloat } from "../../tensor/inner.ts";
import { dequantizerOf, overflowsBias } from "./overflowing-bias.ts";

/** Inserts a Max before every product that must run in float although it reads dequantized numbers; returns how many. */
export function holdFloatProducts(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.domain !== "") continue;
    const float = isRounded(node) && isConstantFloat(weightOperand(node));
    if (!(float || isWithoutKernel(node) || isFineSoftmax(node) || overflowsBias(node))) continue;
    const reader = beforePadding(node);
    if (!dequantizerOf(reader.input(0))) continue;
    holdInput(graph, reader);
    count++;
  }
  return count;
}

/**
 * Inserts a Max between weights of 8 bits in blocks and their readers, and around quantizers to float8; returns how many. ONNX Runtime 1.30
 * takes blocks for channels as it fuses a product of such a weight, and then fails when it runs; of 4 and 16 bits it fuses none. Products of
 * float8 it fuses as if they were int8, and refuses what it made as it loads; so it does with a Relu or Clip in front of such a quantizer.
 */
export function holdBlocks(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.domain !== "") continue;
    const dtype = node.input(2)?.initializer?.dtype ?? "";
    const isFloat8 = dtype.startsWith("float8");
    if (node.op === "QuantizeLinear" && isFloat8 && node.input(0)) {
      holdInput(graph, node);
      count++;
    }
    const isBlock = node.int("block_size", 0) > 0 && ["int8", "uint8"].includes(dtype);
    // An output of the model has no reader that could be fused.
    if (node.op === "DequantizeLinear" && (isBlock || isFloat8) && node.output.consumers().length > 0) {
      holdOutput(graph, node, () => true);
      count++;
    }
  }
  return count;
}

/**
 * Inserts a Max between a pooling that is faster in float and the quantizer behind it; returns how many. ONNX Runtime pulls the quantizer
 * in front of a MaxPool of floats, which then runs on uint8, twenty times slower, and makes every AveragePool between quantizers one of
 * integers, which takes 248 µs where the floats take 6 and both quantizers 10 (bench/kernels.mjs).
 */
export function holdPools(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (!["MaxPool", "AveragePool"].includes(node.op) || node.domain !== "" || !node.input(0)) continue;
    if ((dequantizerOf(node.input(0)) === undefined) !== (node.op === "MaxPool")) continue;
    if (!node.output.consumers().some(isQuantizer)) continue;
    holdOutput(graph, node, isQuantizer);
    count++;
  }
  return count;
}

const isQuantizer = ({ op }: Node): boolean => op === "QuantizeLinear";

/** The node reads a Max of its first input. */
function holdInput(graph: Graph, node: Node): void {
  const x = node.input(0)!;
  const held = addNode(graph, "Max", [x], {}, { output: `${x.name}_float`, place: { before: node } }).output;
  held.type = x.type;
  graph.setInput(node, 0, held);
}

/** Those of the readers read a Max of what the node returns. */
function holdOutput(graph: Graph, node: Node, reads: (reader: Node) => boolean): void {
  const { output } = node;
  const held = addNode(graph, "Max", [output], {}, { output: `${output.name}_held`, place: { after: node } });
  held.output.type = output.type;
  graph.replaceUses(output, held.output, (use) => "node" in use && use.node !== held && reads(use.node));
}

/** A constant of several matrices with scales per channel: ONNX Runtime fuses the product, and then refuses to run it. */
function isWithoutKernel(node: Node): boolean {
  const weight = node.op === "MatMul" ? weightOperand(node)?.producer : undefined;
  if (weight?.op !== "DequantizeLinear") return false;
  return (weight.input(0)?.initializer?.shape.length ?? 0) > 2 && weight.input(1)?.initializer?.shape.length !== 0;
}

/** ONNX Runtime's integer Softmax counts in 32 bits that overflow where the output's grid is finer than 1/256. */
function isFineSoftmax(node: Node): boolean {
  if (node.op !== "Softmax") return false;
  return node.output.consumers().some((reader) => {
    const scale = reader.op === "QuantizeLinear" ? reader.input(1)?.initializer?.floats()[0] : undefined;
    return scale !== undefined && scale < 1 / 256;
  });
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

/** The products whose float weights the runtime rounds; MatMul with an Add behind it becomes a Gemm before. */
function isRounded(node: Node): boolean {
  if (node.op === "MatMul") return node.output.consumers().some((reader) => reader.op === "Add");
  return ["Conv", "ConvTranspose", "Gemm"].includes(node.op);
}

/** Float weights, as they are or in half precision behind a Cast, which the runtime folds. */
function isConstantFloat(weight: Value | undefined): boolean {
  const stored = weight?.producer?.op === "Cast" ? weight.producer.input(0) : weight;
  return stored?.initializer !== undefined && isFloat(stored.initializer.dtype);
}
