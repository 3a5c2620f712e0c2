/** What grids are called: the only place that spells their widths and names. What they are is in the rows of grid.ts. */

/** Each width is two grids, signed and unsigned. All that differs between them follows from the width. */
// biome-ignore format: one line
export const integerWidths = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32] as const;

export type Bits = (typeof integerWidths)[number];

/** float32 asks for no quantizer at all; no entry of a plan is on it. */
export type FloatGridName = "float16" | "bfloat16" | "float8e4m3fn" | "float8e5m2" | "float4e2m1" | "float32";

/** Their numbers are a scale times one of a list. */
export type LookupGridName = "float8e4m3fn" | "float8e5m2" | "float4e2m1" | "int2half";

export type GridName = `${"" | "u"}int${Bits}` | FloatGridName | LookupGridName;
