/** The table of grids: every name is spelled here and nowhere else, and every other file asks the row (codec.ts). */
import { AvocetError, invariant } from "../../base/inner.ts";
import { toBfloat16Bits, toFloat16Bits } from "../../tensor/inner.ts";
import type { Codec, Grid, GridUse, IntGrid, ScaledCodec } from "./codec.ts";
import { casts } from "./floats.ts";
import { integers } from "./integers.ts";
import { float4, float8, halfShifted } from "./lookups.ts";
import { type Bits, type GridName, integerWidths } from "./names.ts";

const byWidth = integerWidths.map((bits) => [integers(bits, true), integers(bits, false)] as const);

/** Every grid by its name: integers, narrow ones first (integers.ts has the widths), then floats. */
export const codecs = {
  ...(Object.fromEntries(byWidth.flat().map((codec) => [codec.name, codec])) as Record<
    `${"" | "u"}int${Bits}`,
    ScaledCodec
  >),
  float16: casts("float16", toFloat16Bits),
  bfloat16: casts("bfloat16", toBfloat16Bits),
  float8e4m3fn: float8("float8e4m3fn"),
  float8e5m2: float8("float8e5m2"),
  float4e2m1: float4(),
  int2half: halfShifted(),
  float32: casts("float32", null),
} satisfies Readonly<Record<GridName, Codec>>;

/** Other names of them. */
const aliases = new Map<string, GridName>([
  ["float", "float32"],
  ["fp32", "float32"],
  ["fp16", "float16"],
  ["bf16", "bfloat16"],
  ["fp8", "float8e4m3fn"],
  ["e4m3", "float8e4m3fn"],
  ["e5m2", "float8e5m2"],
  ["fp4", "float4e2m1"],
]);

/** The names of grids that weights or activations can be on, as messages list them. float32 asks for no quantizer. */
export function usableGrids(use: GridUse): GridName[] {
  return Object.values<Codec>(codecs).flatMap((codec) => (codec.refusal(use) ? [] : [codec.name]));
}

/** Whether this is the name of a grid that weights or activations can be on. */
export function isUsableGrid(name: string, use: GridUse): boolean {
  return usableGrids(use).some((one) => one === (aliases.get(name) ?? name));
}

/** A grid by its short name. Throws `quant/unknown-grid`. */
export function parseGrid(name: string): Grid {
  const known = aliases.get(name) ?? name;
  if (Object.hasOwn(codecs, known)) return codecs[known as GridName].grid;
  const [first, ...others] = usableGrids("weight");
  const widest = others.findLast((one) => /^int\d+$/.test(one))!;
  const floats = others.filter((one) => codecs[one].grid.kind !== "int");
  const ints = `${first} to ${widest}, u${first} to u${widest}`;
  throw new AvocetError("quant/unknown-grid", `expected a grid, got "${name}"`, {
    hint: `${[ints, ...floats.slice(0, -1)].join(", ")}, or ${floats.at(-1)} (not quantized)`,
  });
}

/** The row of a grid. It is found without making a name, for loops ask it. */
export function codecOf(grid: IntGrid): ScaledCodec;
export function codecOf(grid: Grid): Codec;
export function codecOf(grid: Grid): Codec {
  if (grid.kind === "halves") return codecs.int2half;
  return grid.kind === "float" ? codecs[grid.dtype] : bySign[grid.signed ? 1 : 0][grid.bits]!;
}

const bySign = [[] as ScaledCodec[], [] as ScaledCodec[]] as const;
for (const [signed, unsigned] of byWidth) {
  bySign[1][signed.bits] = signed;
  bySign[0][unsigned.bits] = unsigned;
}

/** The row of a grid that has scales, which every encoding is on. */
export function scaledCodecOf(grid: Grid): ScaledCodec {
  const codec = codecOf(grid);
  invariant(codec.kernel !== "cast", `numbers on ${codec.name} have no scale`);
  return codec as ScaledCodec;
}

/** The short name. */
export function gridName(grid: Grid): GridName {
  return codecOf(grid).name;
}

/** Steps between the lowest and the highest number of a grid of integers: 2^bits − 1. */
export function steps(grid: Grid): number {
  return -scaledCodecOf(grid).lowestOffset;
}

/** Whether a grid needs an encoding. */
export function isScaled(grid: Grid): boolean {
  return codecOf(grid).kernel !== "cast";
}

/** Whether a grid is one of integers: what integer kernels compute on, and what methods round to. */
export function isIntGrid(grid: Grid): grid is IntGrid {
  return grid.kind === "int";
}
