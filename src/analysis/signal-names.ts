/** Which values of a model carry signal that two models can be compared on. */
import type { Model, Value } from "../ir/inner.ts";
import { isFloat } from "../tensor/inner.ts";
import type { Shapes } from "./cost.ts";

/** The float32 values that flow (inputs and what nodes compute), in the order of execution; `shapes` from a trace. */
export function signalNames(model: Model, shapes: Shapes): string[] {
  const names: string[] = [];
  for (const value of model.graph.values()) {
    if (!value.initializer && shapes.get(value.name)?.dtype === "float32") names.push(value.name);
  }
  return names;
}

/**
 * The float values by which outputs are judged: the outputs themselves, and where one holds classes, truths or positions (ArgMax, Greater,
 * NonMaxSuppression end it) the nearest float values that it is made of. `types` from a trace, or from what the file says.
 */
export function outputSignals(model: Model, types: Shapes): string[] {
  return [...new Set(model.graph.outputs.flatMap((output) => nearestFloats(output, types).map((value) => value.name)))];
}

/** A value that is float, or the float values that it is made of. */
export function nearestFloats(value: Value, types: Shapes): Value[] {
  const found: Value[] = [];
  const seen = new Set<Value>();
  const waiting: Value[] = [value];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (seen.has(next) || next.initializer) continue;
    seen.add(next);
    const dtype = types.get(next.name)?.dtype ?? (next.type?.kind === "tensor" ? next.type.dtype : undefined);
    const isTensor = next.type === undefined || next.type.kind === "tensor";
    // What nothing is known of is taken for a float: most values are.
    if (isTensor && (dtype === undefined ? next.producer !== null : isFloat(dtype))) found.push(next);
    else for (const input of next.producer?.inputs ?? []) if (input) waiting.push(input);
  }
  return found;
}
