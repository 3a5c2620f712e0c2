/** Element types that a value must have by its producer alone: those that cannot be asked of a runtime at the door. */
import { declaredDType } from "../facts/inner.ts";
import type { Model, Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { type DType, dtypeOfOnnx } from "../tensor/inner.ts";
import { crosses } from "./crossing.ts";

/**
 * The values whose type cannot cross the door (int4, bfloat16, 8-bit floats), found statically: such types only begin
 * at inputs, constants, Cast, CastLike and QuantizeLinear, and data movement carries them on.
 */
export function uncrossable(model: Model): Map<Value, DType> {
  const found = new Map<Value, DType>();
  const note = (value: Value, dtype: DType | undefined) => {
    if (dtype !== undefined && !crosses(dtype)) found.set(value, dtype);
  };
  for (const input of model.graph.inputs) note(input, declaredDType(input));
  for (const constant of model.graph.initializers) note(constant, constant.initializer?.dtype);
  for (const node of model.graph.nodes) {
    const first = node.outputs[0];
    if (first) note(first, madeBy(node, found) ?? declaredDType(first));
  }
  return found;
}

function madeBy(node: Node, found: ReadonlyMap<Value, DType>): DType | undefined {
  const carried = (index: number) => {
    const value = node.input(index);
    return value ? (found.get(value) ?? declaredDType(value)) : undefined;
  };
  switch (node.opName) {
    case "Cast":
      return dtypeOfOnnx(node.int("to", 0));
    case "CastLike":
      return carried(1);
    case "QuantizeLinear":
      return carried(2) ?? dtypeOfOnnx(node.int("output_dtype", 0));
    case "Constant":
    case "ConstantOfShape":
      return node.tensor("value")?.dtype;
    default:
      return rowOf(node)?.movesData ? carried(0) : undefined;
  }
}
