/**
 * Products that ONNX Runtime's native build runs on int8 although the file says float: a MatMul of float numbers and a weight behind
 * a DequantizeLinear becomes MatMulNBits, which rounds its input to int8 in blocks as it runs (accuracy level 4): 4e-3 to 6e-3 of
 * the output's magnitude. With `session.qdq_matmulnbits_accuracy_level` = "1" it computes in float32; the build for the web never
 * does it. Shown in rounded-inputs.test.ts.
 */
import { initializerOf, weightOperand } from "../../facts/inner.ts";
import type { Model, Node } from "../../ir/inner.ts";

/** The products of a shipped file whose float inputs are rounded at run time, as messages name them. */
export function roundedInputs(shipped: Model): string[] {
  const found: string[] = [];
  for (const node of shipped.graph.nodes) {
    if (roundsInputs(node)) found.push(`${node}`);
    if (node.op !== "MatMul" || node.domain !== "" || node.input(0)?.producer?.op === "DequantizeLinear") continue;
    const weight = weightOperand(node)?.producer;
    const stored = weight?.op === "DequantizeLinear" ? weight.input(0) : null;
    // Narrow integers may be widened by a Cast, which the runtime folds.
    const integers = initializerOf(stored?.producer?.op === "Cast" ? stored.producer.input(0) : stored);
    if (integers?.shape.length === 2 && /^u?int[248]$/.test(integers.dtype)) found.push(`${node}`);
  }
  return found;
}

/** Whether the node itself asks for inputs of int8: MatMulNBits with accuracy level 4. */
export function roundsInputs(node: Node): boolean {
  return node.op === "MatMulNBits" && node.int("accuracy_level", 0) === 4;
}
