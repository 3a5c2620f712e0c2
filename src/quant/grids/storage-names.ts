/** What a weight may be stored for instead of a DequantizeLinear: the names that targets and plans use. The rows are in lower/storage.ts. */

export const storageNames = [
  "matmulnbits",
  "gatherblockquantized",
  "dynamicint8",
  "dynamicquantizelstm",
  "castweights",
] as const;

export type StorageName = (typeof storageNames)[number];
