/** Forms of a whole file: what its weights are stored for, and which grids that takes where nobody asks for others. */
import { AvocetError } from "../base/inner.ts";
import { parseGrid, type StorageName } from "../quant/inner.ts";

/** What is behind a plus sign holds for all that no quantizer is for. */
export const formNames = [
  "qdq",
  "weight-only",
  "dynamic",
  "fp16",
  "bf16",
  "qdq+fp16",
  "weight-only+fp16",
  "dynamic+fp16",
] as const;

export type FormName = (typeof formNames)[number];

export interface Form {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: string;
  readonly storage: readonly StorageName[];
  /** Operators between floats compute in float16. */
  readonly half?: true;
}

const qdq: Form = { storage: [] };
const weightOnly: Form = {
  weights: "int4",
  activations: "float32",
  granularity: "block:32",
  storage: ["matmulnbits", "gatherblockquantized"],
};
const dynamic: Form = {
  weights: "int8",
  activations: "float32",
  storage: ["dynamicint8", "dynamicquantizelstm", "castweights", "gatherblockquantized"],
};

export const forms: Readonly<Record<FormName, Form>> = {
  qdq,
  "weight-only": weightOnly,
  dynamic,
  fp16: { weights: "float32", activations: "float32", storage: [], half: true },
  // No runtime that is here computes products in bfloat16 (docs/onnx-runtime.md): numbers are rounded to it, by Casts.
  bf16: { weights: "bfloat16", activations: "bfloat16", storage: [] },
  "qdq+fp16": { ...qdq, half: true },
  "weight-only+fp16": { ...weightOnly, half: true },
  "dynamic+fp16": { ...dynamic, half: true },
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

/** Throws `recipe/invalid` for inputs and outputs in half precision next to a form that computes in float32. */
export function refusePorts(
  { form, ports }: { readonly form?: FormName | undefined; readonly ports?: string | undefined },
  at: string,
): void {
  if (ports !== "float16" || (form !== undefined && forms[form].half)) return;
  throw new AvocetError(
    "recipe/invalid",
    `expected a form with fp16 next to float16 inputs and outputs, got ${form ?? "none"}`,
    {
      at,
      hint: "--form fp16, or for example --form weight-only+fp16",
    },
  );
}

/** Throws `recipe/invalid` for an accuracy level next to a form without MatMulNBits. */
export function refuseAccuracyLevel(
  { form, accuracyLevel }: { readonly form?: FormName | undefined; readonly accuracyLevel?: number | undefined },
  at: string,
): void {
  if (accuracyLevel === undefined || (form !== undefined && forms[form].storage?.includes("matmulnbits"))) return;
  throw new AvocetError(
    "recipe/invalid",
    `expected a weight-only form next to an accuracy level, got ${form ?? "none"}`,
    {
      at,
      hint: "--form weight-only, or weight-only+fp16",
    },
  );
}
