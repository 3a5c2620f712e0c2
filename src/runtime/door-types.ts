/** Element types that a value must have by its producer alone: those that cannot be asked of a runtime at the door. */
import { declaredDType, dtypeMadeBy } from "../facts/inner.ts";
import type { Model, Value } from "../ir/inner.ts";
import type { DType } from "../tensor/inner.ts";
import { crosses } from "./crossing.ts";

/** The values whose type cannot cross the door (int4, bfloat16, 8-bit floats), found statically. */
export function uncrossable(model: Model): Map<Value, DType> {
  const found = new Map<Value, DType>();
  const note = (value: Value, dtype: DType | undefined) => {
    if (dtype !== undefined && !crosses(dtype)) found.set(value, dtype);
  };
  for (const input of model.graph.inputs) note(input, declaredDType(input));
  for (const constant of model.graph.initializers) note(constant, constant.initializer?.dtype);
  // What a producer makes counts more than what the file says of it: edits leave old declarations behind.
  const known = (value: Value | null) => (value ? (found.get(value) ?? declaredDType(value)) : undefined);
  for (const node of model.graph.nodes) {
    node.outputs.forEach((output, index) => {
      note(output, dtypeMadeBy(node, index, known) ?? declaredDType(output));
    });
  }
  return found;
}
