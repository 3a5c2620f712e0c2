/** Grids: the representable numbers. Short names ("int8", "uint4", "float16") are parsed here and nowhere else. */
import { AvocetError } from "../base/index.ts";
import type { DType } from "../tensor/index.ts";

/** ONNX has no type of 3 bits: constants on such a grid are stored in four, activations in eight. */
export type Bits = 2 | 3 | 4 | 8 | 16 | 32;

export type Grid =
  /** `signed` says how the integers are stored; the numbers they stand for follow from the encoding alone. */
  | { readonly kind: "int"; readonly bits: Bits; readonly signed: boolean }
  /** float32 asks for no quantizer at all; no entry of a plan is on it. */
  | { readonly kind: "float"; readonly dtype: "float32" | "float16" | "bfloat16" | "float8e4m3fn" | "float8e5m2" };

export type IntGrid = Extract<Grid, { kind: "int" }>;

/** A grid by its short name. Throws `quant/unknown-grid`. */
export function parseGrid(name: string): Grid {
  const found = /^(u?)int(2|3|4|8|16|32)$/.exec(name);
  if (found) return { kind: "int", bits: Number(found[2]) as Bits, signed: found[1] === "" };
  if (name === "float" || name === "fp32" || name === "float32") return { kind: "float", dtype: "float32" };
  if (name === "fp16" || name === "float16") return { kind: "float", dtype: "float16" };
  if (name === "bf16" || name === "bfloat16") return { kind: "float", dtype: "bfloat16" };
  if (name === "float8e4m3fn" || name === "float8e5m2") return { kind: "float", dtype: name };
  throw new AvocetError("quant/unknown-grid", `expected a grid, got "${name}"`, {
    hint: "int2, uint2, int3, uint3, int4, uint4, int8, uint8, int16, uint16, float16, bfloat16, or float32 (not quantized)",
  });
}

/** The short name. */
export function gridName(grid: Grid): string {
  return grid.kind === "int" ? `${grid.signed ? "" : "u"}int${grid.bits}` : grid.dtype;
}

/** Steps between the lowest and the highest integer: 2^bits − 1. */
export function steps(grid: IntGrid): number {
  return 2 ** grid.bits - 1;
}

/** The element type that stores constants on the grid in an ONNX file: of the same width, or the next wider one. */
export function storageDType(grid: Grid): DType {
  if (grid.kind === "float") return grid.dtype;
  return gridName(grid.bits === 3 ? { ...grid, bits: 4 } : grid) as DType;
}

/**
 * The element type of QuantizeLinear and DequantizeLinear for the grid: 8 bits at least. ONNX Runtime 1.30 has integer kernels for
 * 8 bits only, and refuses many models with activations of fewer (docs/onnx-runtime.md).
 */
export function quantizerDType(grid: IntGrid): DType {
  return gridName(grid.bits < 8 ? { ...grid, bits: 8 } : grid) as DType;
}
