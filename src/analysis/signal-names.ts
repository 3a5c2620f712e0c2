/** Which values of a model carry signal that two models can be compared on. */
import type { Model } from "../ir/index.ts";
import type { Shapes } from "./cost.ts";

/** The float32 values that flow (inputs and what nodes compute), in the order of execution; `shapes` from a trace. */
export function signalNames(model: Model, shapes: Shapes): string[] {
  const names: string[] = [];
  for (const value of model.graph.values()) {
    if (!value.initializer && shapes.get(value.name)?.dtype === "float32") names.push(value.name);
  }
  return names;
}
