/** Which value of a quantized model stands for a value of its float model. */
import type { Model, Value } from "../ir/index.ts";
import { isFloat } from "../tensor/index.ts";

/** A value of the reference model, and the value of the other model that readers get in its place. */
export interface Counterpart {
  readonly reference: string;
  readonly other: string;
}

/**
 * Pairs of values of the same name; where the other model quantizes the value, what comes out of its Q/DQ. `reference` is
 * a model (every float value that a node computes) or the names wanted. Names that the other model lacks are left out.
 */
export function counterparts(reference: Model | readonly string[], other: Model): Counterpart[] {
  const names = "graph" in reference ? computedFloats(reference) : reference;
  const values = other.graph.valuesByName();
  return names.flatMap((name) => {
    const value = values.get(name);
    return value ? [{ reference: name, other: afterQuantizer(value).name }] : [];
  });
}

function computedFloats(model: Model): string[] {
  const names: string[] = [];
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) {
      const dtype = value.type?.kind === "tensor" ? value.type.dtype : "float32";
      if (value.name !== "" && isFloat(dtype)) names.push(value.name);
    }
  }
  return names;
}

/** What DequantizeLinear (or a Cast back) gives behind the value's quantizer; the value itself without one. */
function afterQuantizer(value: Value): Value {
  for (const first of value.consumers()) {
    if (first.op !== "QuantizeLinear" && first.op !== "Cast") continue;
    const second = first.output.consumers().find((node) => node.op === "DequantizeLinear" || node.op === "Cast");
    if (second && (first.op === "QuantizeLinear") === (second.op === "DequantizeLinear")) return second.output;
  }
  return value;
}
