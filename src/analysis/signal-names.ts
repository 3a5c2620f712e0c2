/** Which values of a model carry signal that two models can be compared on. */
import type { Model, Value } from "../ir/index.ts";
import { isFloat } from "../tensor/index.ts";
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
 * The float values by which outputs are judged: the outputs themselves, and where one holds classes, truths or places (ArgMax, Greater,
 * NonMaxSuppression end it) the nearest float values that it is made of.
 */
export function outputSignals(model: Model, shapes: Shapes): string[] {
  const found = new Set<string>();
  const seen = new Set<Value>();
  const waiting: Value[] = [...model.graph.outputs];
  for (let value = waiting.shift(); value; value = waiting.shift()) {
    if (seen.has(value) || value.initializer) continue;
    seen.add(value);
    const type = shapes.get(value.name);
    if (type && isFloat(type.dtype)) found.add(value.name);
    else for (const input of value.producer?.inputs ?? []) if (input) waiting.push(input);
  }
  return [...found];
}
