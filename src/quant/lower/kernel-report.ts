/** Which convolutions, matrix products and recurrent operators the runtime runs on integers, read off the graph that it wrote after optimising. */

import { clipBounds, isRecurrent } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import { isFloatOnPurpose } from "../plan/layer-reasons.ts";
import type { Plan } from "../plan/plan.ts";
import type { LoweredProduct, Shipped } from "./lowered.ts";
import { overflowsBias } from "./overflowing-bias.ts";
import { unheld, unwidened } from "./read-shipped.ts";
import { roundsInputs } from "./rounded-inputs.ts";
import { storedFor } from "./storage.ts";

export interface KernelFinding {
  /** The node of the shipped file, as messages name it: "Conv conv1". */
  readonly node: string;
  readonly integer: boolean;
  /** The operator that runs: QLinearConv, QGemm, FusedConv … */
  readonly kernel: string;
  /** Why it runs in float. */
  readonly reason?: string;
}

const integerKernels = new Set([
  "QLinearConv",
  "ConvInteger",
  "QGemm",
  "QLinearMatMul",
  "MatMulInteger",
  "MatMulIntegerToFloat",
  "DynamicQuantizeMatMul",
  "DynamicQuantizeLSTM",
]);

/**
 * One finding for each product of the shipped file (Conv, ConvTranspose, Gemm, MatMul, and what a storage form wrote for one), in
 * its order. `optimized` is what ONNX Runtime wrote for that file; `plan` says what stays in float on purpose.
 */
export function kernelReport({ products }: Pick<Shipped, "products">, optimized: Model, plan: Plan): KernelFinding[] {
  const running = [...optimized.graph.nodes];
  const integers = running.filter(isIntegerKernel);
  const left = new Map(plan.notQuantized.map(({ value, reason }) => [value, reason]));
  return products.map((product) => {
    const node = labelOf(product);
    const runs = (candidate: Node) => product.nodes.some((one) => isSame(candidate, one, product.weight));
    const found = integers.find(runs);
    if (found) return { node, integer: true, kernel: found.op };
    const last = product.nodes.at(-1)!;
    return { node, integer: false, kernel: running.find(runs)?.op ?? last.op, reason: whyFloat(last, left) };
  });
}

/** How messages name a product: by the node of the shipped file that returns its result. */
export function labelOf({ nodes }: LoweredProduct): string {
  return `${nodes.at(-1)}`;
}

/** MatMulNBits multiplies with float inputs, unless it is told to round them to int8. */
function isIntegerKernel(node: Node): boolean {
  return integerKernels.has(node.op) || roundsInputs(node);
}

/**
 * Fused nodes keep the name of the convolution, with "_token_1" or "/MatMulAddFusion" behind it (`lower` names every node).
 * Files of other tools may lack names; quantized weights keep theirs.
 */
function isSame(candidate: Node, node: Node, stored: Value | undefined): boolean {
  if (candidate.name !== "" && node.name !== "" && candidate.name.startsWith(node.name)) {
    const rest = candidate.name.slice(node.name.length);
    return rest === "" || rest === "/MatMulAddFusion" || /^_token_\d+$/.test(rest);
  }
  const known = node.name === "" || node.op === "MatMulInteger";
  return (
    known &&
    stored?.useCount === 1 &&
    isIntegerKernel(candidate) &&
    candidate.inputs.some((value) => value?.name === stored.name)
  );
}

/** The reasons that ONNX Runtime 1.30 has for leaving Q/DQ around a product as they are; measured in docs/onnx-runtime.md. */
function whyFloat(node: Node, left: ReadonlyMap<string, string>): string {
  const stored = storedFor(node);
  if (stored) return stored.form.whyFloat(node);
  const floatWeight = node.inputs.slice(0, 2).find((value) => value?.initializer);
  if (floatWeight) return left.get(floatWeight.name) ?? "its weight is not quantized";
  const onPurpose = left.get(node.output.name);
  if (isFloatOnPurpose(onPurpose)) return onPurpose;
  if (overflowsBias(node)) return "its bias does not fit into 32 bits in steps of the scales of its two inputs";
  if (isRecurrent(node))
    return `ONNX Runtime has no integer kernel of ${node.op} behind Q/DQ: its weights become floats at every run`;
  if (node.op === "ConvTranspose") return "ONNX Runtime has no integer ConvTranspose on CPU";
  for (const value of node.inputs.slice(0, 2)) {
    const source = value?.producer;
    if (source?.op !== "DequantizeLinear") {
      const blocks = (unheld(value)?.producer?.int("block_size", 0) ?? 0) > 0;
      return blocks
        ? "its weight has a scale per block, and the integer kernels take one per channel"
        : `its input ${value?.name} is not quantized`;
    }
    const dtype = dtypeOf(source.input(2));
    if (dtype !== "int8" && dtype !== "uint8")
      return `its ${unwidened(source.input(0))?.initializer ? "weight" : "input"} is ${dtype}, and the integer kernels take 8 bits`;
  }
  if (node.op === "MatMul" && node.input(0)?.producer?.input(0)?.initializer) return "its constant is the first factor";
  if (node.op === "Gemm" && (node.float("alpha", 1) !== 1 || node.float("beta", 1) !== 1))
    return "alpha or beta of Gemm is not 1";
  return whyNotFused(node.output, node) ?? "ONNX Runtime left it in float for a reason that Avocet does not know";
}

/** The type of a quantizer's integers is that of its zero point. */
function dtypeOf(zeroPoint: Value | null): string {
  return zeroPoint?.initializer?.dtype ?? "uint8";
}

/** The way from the product to the QuantizeLinear behind it. */
function whyNotFused(output: Value, node: Node): string | undefined {
  const readers = output.consumers();
  if (output.isGraphOutput) return "its output is an output of the model and not quantized";
  if (readers.length > 1) return `${readers.length} operators read its float output`;
  const [next] = readers;
  if (!next) return "nobody reads its output";
  if (next.op === "QuantizeLinear") return undefined;
  if (next.op !== "Relu" && next.op !== "Clip") return `its float output goes to ${next}`;
  const quantize = next.output.consumers().find((reader) => reader.op === "QuantizeLinear");
  if (!quantize || next.output.useCount > 1)
    return `its float output goes to ${next}, and what that gives is not only quantized`;
  const scale = quantize.input(1)?.initializer?.numbers()[0] ?? 0;
  const zero = quantize.input(2)?.initializer;
  const unsigned = zero?.dtype !== "int8";
  const lowest = unsigned ? 0 : -128;
  const low = scale * (lowest - (zero?.numbers()[0] ?? 0));
  const high = low + scale * 255;
  const bounds = next.op === "Relu" ? { min: 0, max: Number.POSITIVE_INFINITY } : clipBounds(next);
  if (!bounds) return `the bounds of ${next} are computed`;
  if (low < bounds.min || high > bounds.max * (1 + 1e-7)) {
    return `the grid behind ${next} reaches from ${low.toPrecision(4)} to ${high.toPrecision(4)}, beyond its bounds: the ${next.op} cannot be left out`;
  }
  return node.op === "MatMul" && next.op === "Clip" ? "ONNX Runtime does not run MatMul and Clip as one" : undefined;
}
