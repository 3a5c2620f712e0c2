/** Reads AIMET's encodings files (0.6.1, 1.0.0, 2.0.0) and puts them into a plan, frozen. */
import { z } from "zod";
import { AvocetError, parseJson } from "../base/index.ts";
import type { Encoding } from "./encoding.ts";
import { type Bits, parseGrid } from "./grid.ts";
import { type Plan, type PlanEntry, withEntries } from "./plan.ts";

/** One encoding of a file, in AIMET's convention (offset ≤ 0, one number a slice). */
export interface FileEncoding {
  readonly name: string;
  readonly bits: number;
  readonly symmetric: boolean;
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** Length of a block; absent: per tensor or per channel. */
  readonly blockSize?: number;
}

export interface EncodingsFile {
  readonly version: string;
  readonly encodings: readonly FileEncoding[];
  /** Tensors that the file puts into half precision. */
  readonly half: readonly string[];
}

const number = z.number();
const row0 = z.looseObject({
  bitwidth: number,
  dtype: z.string(),
  is_symmetric: z.string().optional(),
  offset: number.optional(),
  scale: number.optional(),
});
const row1 = z.looseObject({
  name: z.string(),
  enc_type: z.enum(["PER_TENSOR", "PER_CHANNEL", "PER_BLOCK", "LPBQ", "VECTOR"]),
  dtype: z.enum(["INT", "FLOAT"]),
  bw: number,
  is_sym: z.boolean().optional(),
  scale: z.array(number).optional(),
  offset: z.array(number).optional(),
  block_size: number.optional(),
});
const nested: z.ZodType<unknown> = z.union([number, z.array(z.lazy(() => nested))]);
const row2 = z.looseObject({
  name: z.string(),
  output_dtype: z.string(),
  y_scale: nested.optional(),
  y_zero_point: nested.optional(),
  block_size: number.optional(),
});

const file0 = z.looseObject({
  version: z.string().regex(/^0\.6\.\d$/),
  activation_encodings: z.record(z.string(), z.array(row0)),
  param_encodings: z.record(z.string(), z.array(row0)),
});
const file1 = z.looseObject({
  version: z.literal("1.0.0"),
  activation_encodings: z.array(row1),
  param_encodings: z.array(row1),
});
const file2 = z.looseObject({ version: z.literal("2.0.0"), encodings: z.array(row2) });

/** Parses the text of a file. Throws `quant/invalid-encodings` with every fault. */
export function readEncodings(text: string, at = "encodings"): EncodingsFile {
  const hint = "AIMET's versions 0.6.1, 1.0.0 and 2.0.0 are read";
  const refuse = (problem: string) => new AvocetError("quant/invalid-encodings", problem, { at, hint });
  const json = parseJson(text, { at, code: "quant/invalid-encodings", hint });
  const version = String((json as { version?: unknown } | null)?.version);
  const schema = version === "2.0.0" ? file2 : version === "1.0.0" ? file1 : file0;
  const result = (
    schema as z.ZodType<z.output<typeof file0> | z.output<typeof file1> | z.output<typeof file2>>
  ).safeParse(json);
  if (!result.success) throw refuse(`the encodings have faults:\n${z.prettifyError(result.error)}`);
  const found = fileOf(result.data);
  for (const one of found.encodings) {
    const broken = one.scale.findIndex((s, i) => !(s > 0 && Number.isFinite(s)) || !Number.isInteger(one.offset[i]));
    if (broken >= 0 || one.scale.length !== one.offset.length) {
      throw refuse(
        `expected a positive scale and a whole offset for every slice of ${one.name}, got ${one.scale[broken]} and ${one.offset[broken]}`,
      );
    }
  }
  return found;
}

function fileOf(file: z.output<typeof file0> | z.output<typeof file1> | z.output<typeof file2>): EncodingsFile {
  const { version } = file;
  if ("encodings" in file)
    return { version, encodings: (file as z.output<typeof file2>).encodings.flatMap(fromRow2), half: [] };
  const { activation_encodings: activations, param_encodings: parameters } = file;
  if (Array.isArray(activations) && Array.isArray(parameters)) {
    const rows = [...activations, ...parameters] as z.output<typeof row1>[];
    const half = rows.filter((row) => row.dtype === "FLOAT").map((row) => row.name);
    return { version, encodings: rows.filter((row) => row.dtype === "INT").map(fromRow1), half };
  }
  const rows = Object.entries({ ...activations, ...parameters }) as [string, z.output<typeof row0>[]][];
  const half = rows.filter(([, slices]) => slices[0]?.dtype === "float").map(([name]) => name);
  return { version, encodings: rows.filter(([, slices]) => slices[0]?.dtype === "int").map(fromRows0), half };
}

function fromRows0([name, slices]: [string, z.output<typeof row0>[]]): FileEncoding {
  const [first] = slices;
  return {
    name,
    bits: first!.bitwidth,
    symmetric: first!.is_symmetric === "True",
    scale: slices.map((slice) => slice.scale ?? Number.NaN),
    offset: slices.map((slice) => slice.offset ?? Number.NaN),
  };
}

function fromRow1(row: z.output<typeof row1>): FileEncoding {
  return {
    name: row.name,
    bits: row.bw,
    symmetric: row.is_sym ?? false,
    scale: row.scale ?? [],
    offset: row.offset ?? [],
    ...(row.block_size === undefined ? {} : { blockSize: row.block_size }),
  };
}

function fromRow2(row: z.output<typeof row2>): FileEncoding[] {
  const grid = parseGrid(row.output_dtype);
  if (grid.kind !== "int" || row.y_scale === undefined) return [];
  const flat = (value: unknown): number[] => (Array.isArray(value) ? value.flatMap(flat) : [value as number]);
  const scale = flat(row.y_scale);
  const points = row.y_zero_point === undefined ? scale.map(() => 0) : flat(row.y_zero_point);
  const shift = grid.signed ? 2 ** (grid.bits - 1) : 0;
  return [
    {
      name: row.name,
      bits: grid.bits,
      symmetric: grid.signed && points.every((point) => point === 0 || point === -1),
      scale,
      // Zero is added so that −0 becomes 0.
      offset: points.map((point) => -point - shift + 0),
      ...(row.block_size === undefined ? {} : { blockSize: row.block_size }),
    },
  ];
}

/**
 * A plan whose entries take the file's encodings and are frozen; what a tied entry would take is that of its head. Names that
 * the plan lacks are returned. Throws `quant/invalid-encodings` where an encoding does not fit the entry's granularity.
 */
export function applyEncodings(
  plan: Plan,
  file: EncodingsFile,
): { readonly plan: Plan; readonly ignored: readonly string[] } {
  const byName = new Map(plan.entries.map((entry) => [entry.value, entry]));
  const changed = new Map<string, PlanEntry>();
  const ignored: string[] = [];
  for (const found of file.encodings) {
    const entry = byName.get(found.name);
    if (entry?.grid.kind !== "int" || entry.kind === "bias") ignored.push(found.name);
    else changed.set(entry.value, { ...entry, symmetric: found.symmetric, frozen: true, ...fitted(entry, found) });
  }
  for (const entry of plan.entries) {
    const head = entry.tiedTo === undefined || changed.has(entry.value) ? undefined : changed.get(entry.tiedTo);
    if (head)
      changed.set(entry.value, {
        ...entry,
        grid: head.grid,
        symmetric: head.symmetric,
        encoding: head.encoding!,
        frozen: true,
      });
  }
  return { plan: withEntries(plan, changed), ignored };
}

function fitted(entry: PlanEntry, found: FileEncoding): Pick<PlanEntry, "grid" | "granularity" | "encoding"> {
  const slices = found.scale.length;
  const { granularity: placed } = entry;
  const granularity = slices === 1 ? ({ kind: "tensor" } as const) : placed;
  const size = placed.kind === "block" ? placed.size : undefined;
  if (
    ![2, 4, 8, 16, 32, ...(entry.kind === "weight" ? [3] : [])].includes(found.bits) ||
    (slices > 1 && placed.kind === "tensor") ||
    (slices > 1 && found.blockSize !== size)
  ) {
    throw new AvocetError(
      "quant/invalid-encodings",
      `expected an encoding per ${placed.kind} on a grid of 2, 3 (weights), 4, 8, 16 or 32 bits, got ${slices} scales of ${found.bits} bits`,
      { at: entry.value, hint: "place the plan with the granularity of the file" },
    );
  }
  const grid = {
    kind: "int",
    bits: found.bits as Bits,
    signed: entry.grid.kind === "int" && entry.grid.signed,
  } as const;
  const encoding: Encoding = {
    grid,
    granularity,
    symmetric: found.symmetric,
    scale: found.scale,
    offset: found.offset,
  };
  return { grid, granularity, encoding };
}
