/** Storage forms: rows of lowering that a target asks for by name, each with what it can hold. */
import { isRecurrent } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import type { StorageName } from "../grids/storage-names.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import { castWeights } from "./cast-weights.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { dynamicQuantizeLstm } from "./dynamic-quantize-lstm.ts";
import { gatherBlockQuantized } from "./gather-block-quantized.ts";
import { matMulNBits } from "./matmul-nbits.ts";
import type { StorageForm } from "./row.ts";

export const storageForms: Readonly<Record<StorageName, StorageForm>> = {
  matmulnbits: matMulNBits,
  gatherblockquantized: gatherBlockQuantized,
  dynamicint8: dynamicInt8,
  dynamicquantizelstm: dynamicQuantizeLstm,
  castweights: castWeights,
};

/** The form that writes such nodes, and the constant with the weight that this one reads. */
export function storedFor(node: Node): { readonly form: StorageForm; readonly weight: Value } | undefined {
  for (const form of Object.values(storageForms)) {
    const weight = form.weightOf(node);
    if (weight) return { form, weight };
  }
  return undefined;
}

/**
 * The entries of a plan, each weight stored in the first of the forms that can hold it; of the others the reason says why not. `accuracyLevel` is
 * that of all MatMulNBits.
 */
export function withStorage(
  entries: readonly PlanEntry[],
  model: Model,
  names: readonly StorageName[],
  accuracyLevel?: 4,
): PlanEntry[] {
  const values = model.graph.valuesByName();
  const known = new Map(entries.map((entry) => [entry.value, entry]));
  return entries.map((entry) => {
    if (entry.kind !== "weight") return entry;
    const value = values.get(entry.value)!;
    const refusals: string[] = [];
    for (const name of names) {
      const form = storageForms[name];
      if (form.replaces !== useOf(value)) continue;
      const refused = form.refusal(entry, value, known);
      if (refused === undefined)
        return {
          ...entry,
          storage: name,
          ...(accuracyLevel && name === "matmulnbits" ? { accuracyLevel } : {}),
          reason: `${entry.reason}${refusals.join("")}, stored for ${form.title}`,
        };
      refusals.push(`, not stored for ${form.title}: ${refused}`);
    }
    return { ...entry, reason: `${entry.reason}${refusals.join("")}` };
  });
}

/** A table that every reader takes rows of, W or R of recurrent operators; else a factor. */
function useOf(value: Value): StorageForm["replaces"] {
  if (value.consumers().some(isRecurrent)) return "recurrence";
  return value.consumers().every(({ op }) => op === "Gather") ? "lookup" : "product";
}

/** The plan of a file of Q/DQ alone: the same numbers, in a form whose weights can be replaced one by one, and float32 between. */
export function withoutStorage({ half: _, ...plan }: Plan): Plan {
  return { ...plan, entries: plan.entries.map(({ storage: _, ...entry }) => entry) };
}
