/** The operators that a gradient adds to a graph: which form of several it takes. */
import { gradientModel } from "../src/autodiff/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { parseModel, tensorType } from "../src/ir/inner.ts";

/** "Conv, Reshape ×2": what is in the graph (opset 21, output y) with the gradients of these values, next to the graph itself. */
export function backwardOperators(text: string, ...wrt: readonly string[]): string {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>\n${text}`, { seed: 1 });
  // A bare "float" is a scalar in ONNX text; here it stands for a shape that is inferred.
  for (const output of model.graph.outputs)
    if (output.type?.kind === "tensor" && output.type.shape?.length === 0) output.type = tensorType("float32", null);
  const built = gradientModel(model, wrt, { types: inferTypes(model), outputs: ["y"] });
  const counts = new Map<string, number>();
  for (const { op } of built.graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  for (const { op } of model.graph.nodes) counts.set(op, (counts.get(op) ?? 0) - 1);
  const found = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return found.map(([op, count]) => (count > 1 ? `${op} ×${count}` : op)).join(", ");
}
