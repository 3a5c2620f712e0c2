/** Which models placement takes: float ones that hold no quantization yet. Everything wrong is said at once. */
import { AvocetError } from "../base/index.ts";
import type { Model, Node } from "../ir/index.ts";

const quantizing = new Set([
  "QuantizeLinear",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
  "ConvInteger",
  "MatMulInteger",
  "QcQuantizeOp",
  "QGemm",
  "MatMulNBits",
  "DynamicQuantizeMatMul",
  "MatMulIntegerToFloat",
]);

/** Whether the node belongs to a model that is quantized already. */
export function isQuantizing(node: Node): boolean {
  return quantizing.has(node.op) || node.op.startsWith("QLinear");
}

/** Throws `quant/already-quantized` or `quant/unsupported-model`. */
export function refuseUnfit(model: Model): void {
  const at = model.source ? { at: model.source } : {};
  const found = [...model.graph.nodes].filter(isQuantizing);
  if (found.length > 0) {
    const kinds = [...new Set(found.map((node) => node.op))].join(", ");
    throw new AvocetError(
      "quant/already-quantized",
      `expected a float model, got one with ${found.length} × ${kinds}`,
      {
        ...at,
        hint: "quantize the float model it was made from",
      },
    );
  }
  let [full, half] = [0, 0];
  for (const { initializer } of model.graph.initializers) {
    if (initializer?.dtype === "float32") full += initializer.size;
    if (initializer?.dtype === "float16" || initializer?.dtype === "bfloat16") half += initializer.size;
  }
  const halfInput = model.graph.inputs.some((v) => v.type?.kind === "tensor" && /^b?float16$/.test(v.type.dtype));
  if (half > full || (halfInput && half > 0)) {
    throw new AvocetError("quant/unsupported-model", "expected a float32 model, got one in half precision", {
      ...at,
      hint: "export the model in float32, or convert it back: scales and weights are rounded twice otherwise",
    });
  }
}
