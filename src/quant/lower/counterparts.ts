/** Which value of a quantized model stands for a value of its float model. */
import type { Model } from "../../ir/inner.ts";
import { isFloat } from "../../tensor/inner.ts";
import type { Shipped } from "./lowered.ts";

/** A value of the reference model, and the value of the other model that readers get in its place. */
export interface Counterpart {
  readonly reference: string;
  readonly other: string;
}

/**
 * Pairs of values of the same name; where the other model quantizes the value, what comes out of its Q/DQ. `reference` is
 * a model (every float value that a node computes) or the names wanted. Names that the other model lacks are left out.
 */
export function counterparts(reference: Model | readonly string[], { of }: Shipped): Counterpart[] {
  const names = "graph" in reference ? computedFloats(reference) : reference;
  return names.flatMap((name) => {
    const found = of(name);
    const other = found?.dequantized ?? found?.float;
    return other ? [{ reference: name, other: other.name }] : [];
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
