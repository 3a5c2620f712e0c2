/** Forms of a whole file: what its weights are stored for, and which grids that takes where nobody asks for others. */
import type { StorageName } from "../quant/inner.ts";

export const formNames = ["qdq", "weight-only", "dynamic"] as const;

export interface Form {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: string;
  readonly storage: readonly StorageName[];
}

export const forms: Readonly<Record<(typeof formNames)[number], Form>> = {
  qdq: { storage: [] },
  "weight-only": {
    weights: "int4",
    activations: "float32",
    granularity: "block:32",
    storage: ["matmulnbits", "gatherblockquantized"],
  },
  dynamic: { weights: "int8", activations: "float32", storage: ["dynamicint8", "gatherblockquantized"] },
};
