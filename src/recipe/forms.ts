/** Forms of a whole file: what its weights are stored for, and which grids that takes where nobody asks for others. */
import { AvocetError } from "../base/inner.ts";
import { parseGrid, type StorageName } from "../quant/inner.ts";

export const formNames = ["qdq", "weight-only", "dynamic"] as const;

export type FormName = (typeof formNames)[number];

export interface Form {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: string;
  readonly storage: readonly StorageName[];
}

export const forms: Readonly<Record<FormName, Form>> = {
  qdq: { storage: [] },
  "weight-only": {
    weights: "int4",
    activations: "float32",
    granularity: "block:32",
    storage: ["matmulnbits", "gatherblockquantized"],
  },
  dynamic: { weights: "int8", activations: "float32", storage: ["dynamicint8", "gatherblockquantized"] },
};

/** Throws `recipe/invalid` for activations of integers next to a form whose operators read floats. */
export function refuseIntegers(
  { form, activations }: { readonly form?: FormName | undefined; readonly activations?: string | undefined },
  at: string,
): void {
  if (form === undefined || forms[form].activations === undefined || activations === undefined) return;
  if (parseGrid(activations).kind === "float") return;
  throw new AvocetError(
    "recipe/invalid",
    `expected activations in float next to the form ${form}, got ${activations}`,
    {
      at,
      hint: 'leave activations out; rules in "grids" may have other ones for some layers',
    },
  );
}
