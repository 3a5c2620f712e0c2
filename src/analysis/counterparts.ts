/** Which value of one model stands for a value of another: the one of its name, behind its Q/DQ pair where it has one. */
import type { Model, Value } from "../ir/index.ts";
import type { Shapes } from "./cost.ts";
import type { ValuePair } from "./similarity.ts";

/** The pairs of those names that both models know, in the order given. */
export function counterparts(names: Iterable<string>, other: Model): ValuePair[] {
  const values = other.graph.valuesByName();
  const pairs: ValuePair[] = [];
  for (const reference of names) {
    const value = values.get(reference);
    if (value) pairs.push({ reference, other: (dequantized(value) ?? value).name });
  }
  return pairs;
}

/** The float32 values that flow (inputs and what nodes compute), in the order of execution; `shapes` from a trace. */
export function signalNames(model: Model, shapes: Shapes): string[] {
  const names: string[] = [];
  for (const value of model.graph.values()) {
    if (!value.initializer && shapes.get(value.name)?.dtype === "float32") names.push(value.name);
  }
  return names;
}

/** What the readers of a value see when all of them read it through one QuantizeLinear and DequantizeLinear. */
function dequantized(value: Value): Value | null {
  const quantizers = value.consumers();
  const [first] = quantizers;
  if (quantizers.length !== 1 || first?.op !== "QuantizeLinear" || value.isGraphOutput) return null;
  const [reader] = first.output.consumers();
  return reader?.op === "DequantizeLinear" ? reader.output : null;
}
