/** Declared types of outputs that contradict what the graph computes: they are named, and corrected before anything is written. */
import { LengthTable } from "../../facts/inner.ts";
import { cloneModel, type Model, type TensorType, tensorType, type Value } from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";

export interface Contradiction {
  readonly output: string;
  readonly declared: TensorType;
  readonly found: TensorType;
}

/** Outputs of another rank than they are declared with, or of another fixed length. */
export function contradictions(model: Model): Contradiction[] {
  const copy = cloneModel(model);
  for (const value of copy.graph.outputs) value.type = undefined;
  const table = new LengthTable(copy);
  const byName = copy.graph.valuesByName();
  return model.graph.outputs.flatMap((value) => {
    const { type } = value;
    const lengths = value.producer && table.of(byName.get(value.name)!);
    if (type?.kind !== "tensor" || !type.shape || !lengths) return [];
    const declared = type.shape;
    const agrees =
      declared.length === lengths.length &&
      lengths.every(
        (length, i) => typeof length !== "number" || typeof declared[i] !== "number" || length === declared[i],
      );
    if (agrees) return [];
    const shape = lengths.map((length, i) => {
      if (typeof length === "number") return length;
      return declared.length === lengths.length && typeof declared[i] === "string"
        ? declared[i]
        : nameOf(value, i, copy);
    });
    return [{ output: value.name, declared: type, found: tensorType(type.dtype, shape) }];
  });
}

/** The first axis keeps the name that the inputs give it. */
function nameOf({ type }: Value, axis: number, model: Model): string | null {
  if (axis !== 0) return null;
  const own = type?.kind === "tensor" ? type.shape?.[0] : null;
  const input = model.graph.inputs.find((value) => !value.initializer)?.type;
  const name = input?.kind === "tensor" ? input.shape?.[0] : null;
  return [own, name].find((dim) => typeof dim === "string") ?? null;
}

export function shapeText({ shape }: TensorType): string {
  return `[${(shape ?? []).map((dim) => dim ?? "?").join(", ")}]`;
}

/** Corrects them; the report of the pass says what was declared. */
export const correctOutputs: Pass = {
  name: "correct-outputs",
  run(model, refuse) {
    const found = contradictions(model);
    const byName = model.graph.valuesByName();
    for (const one of found) {
      const value = byName.get(one.output)!;
      value.type = one.found;
      refuse?.(
        value.producer!,
        `the output ${one.output} was declared ${shapeText(one.declared)} and is ${shapeText(one.found)}: corrected`,
      );
    }
    return found.length;
  },
};
