/** Which value of a quantized model stands for a value of its float model. */
import type { Model, Value } from "../ir/index.ts";
import { isFloat } from "../tensor/index.ts";
import { clipsToGrid } from "./stored.ts";

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
    if (first.op === "Cast") {
      const back = first.output.consumers().find((node) => node.op === "Cast");
      if (back) return back.output;
    }
    // In front of integers of 16 bits: see `lower`.
    if (clipsToGrid(first)) return dequantizedBehind(first.output) ?? value;
  }
  return dequantizedBehind(value) ?? value;
}

function dequantizedBehind(value: Value): Value | undefined {
  for (const node of value.consumers()) {
    if (node.op !== "QuantizeLinear") continue;
    // Where the grid is narrower than its integers a Clip of these stands between.
    const clip = node.output.consumers().find((reader) => reader.op === "Clip");
    const back = (clip?.output ?? node.output).consumers().find((reader) => reader.op === "DequantizeLinear");
    if (back) return back.output;
  }
  return undefined;
}
