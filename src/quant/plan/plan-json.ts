/** Plans as JSON: one entry a line, so that two of them can be compared; checked in full when read. */
import { z } from "zod";
import { AvocetError, expectArguments, parseJson } from "../../base/inner.ts";
import { codecs, isScaled, scaledCodecOf } from "../grids/grid.ts";
import { integerWidths } from "../grids/names.ts";
import { storageNames } from "../grids/storage-names.ts";
import type { Plan } from "./plan.ts";

/** float32 asks for no quantizer, and so has no entries. */
const floats = Object.values(codecs).flatMap(({ grid }) => (grid.kind === "float" && grid.dtype !== "float32" ? [grid.dtype] : [])); // biome-ignore format: one line

const grid = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("int"),
    bits: z.literal(integerWidths),
    signed: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("float"), dtype: z.enum(floats) }),
  z.strictObject({ kind: z.literal("halves"), bits: z.literal(2) }),
]);

const axis = z.number().int().nonnegative();

const granularity = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("tensor") }),
  z.strictObject({ kind: z.literal("channel"), axis }),
  z.strictObject({ kind: z.literal("block"), axis, size: z.number().int().positive(), channelAxis: axis }),
]);

const coarse = z.number().positive();

const twoLevel = z.discriminatedUnion("form", [
  z.strictObject({
    form: z.literal("lpbq"),
    coarse: z.array(coarse).min(1),
    most: z.number().int().positive(),
  }),
  z.strictObject({ form: z.literal("mx"), coarse: z.tuple([z.literal(1)]) }),
  z.strictObject({ form: z.literal("nvfp4"), coarse: z.tuple([coarse]) }),
]);

const encoding = z
  .strictObject({
    grid,
    granularity,
    symmetric: z.boolean(),
    scale: z.array(z.number().positive()).min(1),
    offset: z.array(z.number().int().nonpositive()).min(1),
    twoLevel: twoLevel.optional(),
  })
  .refine((e) => isScaled(e.grid), "expected a grid with scales")
  .refine((e) => e.scale.length === e.offset.length, "expected as many offsets as scales")
  .refine((e) => e.granularity.kind !== "tensor" || e.scale.length === 1, "expected one scale per tensor")
  .refine((e) => e.granularity.kind === "block" || !e.twoLevel, "expected two levels of blocks alone")
  .refine(
    (e) => !isScaled(e.grid) || e.offset.every((o) => o >= scaledCodecOf(e.grid).lowestOffset),
    "expected offsets within the grid",
  );

const entry = z.strictObject({
  value: z.string(),
  kind: z.enum(["activation", "weight", "bias"]),
  grid,
  granularity,
  symmetric: z.boolean(),
  narrowRange: z.boolean().optional(),
  unsignedSymmetric: z.boolean().optional(),
  pairSafe: z.literal(true).optional(),
  shortScale: z.union([z.literal(true), z.literal("coarse")]).optional(),
  staysSigned: z.literal(true).optional(),
  staysNarrow: z.literal(true).optional(),
  twoLevel: z
    .strictObject({ form: z.enum(["lpbq", "mx", "nvfp4"]), scaleBits: z.number().int().min(1).max(8).optional() })
    .optional(),
  parameter: z.literal(true).optional(),
  range: z
    .strictObject({ min: z.number().optional(), max: z.number().optional() })
    .refine(
      ({ min, max }) => min === undefined || max === undefined || min <= max,
      "expected a range from min up to max",
    )
    .optional(),
  sharesEncodingOf: z.string().optional(),
  observed: z.literal(true).optional(),
  floatReaders: z.array(z.string()).min(1).optional(),
  scaleFrom: z.strictObject({ input: z.string(), weight: z.string() }).optional(),
  storage: z.enum(storageNames).optional(),
  accuracyLevel: z.literal(4).optional(),
  reason: z.string(),
  encoding: encoding.optional(),
  frozen: z.boolean().optional(),
});

const notQuantized = z.strictObject({ value: z.string(), reason: z.string() });

const plan = z
  .strictObject({
    version: z.literal(1),
    target: z.string(),
    entries: z.array(entry),
    notQuantized: z.array(notQuantized),
    half: z
      .strictObject({ dtype: z.literal("float16"), ports: z.literal(true).optional(), float: z.array(notQuantized) })
      .optional(),
  })
  .superRefine(({ entries }, context) => {
    const byValue = new Map(entries.map((one) => [one.value, one]));
    const fault = (message: string, i: number) => context.addIssue({ code: "custom", message, path: ["entries", i] });
    entries.forEach((one, i) => {
      if (byValue.get(one.value) !== one) fault(`expected one entry a value, got two for ${one.value}`, i);
      if (one.sharesEncodingOf !== undefined && byValue.get(one.sharesEncodingOf)?.sharesEncodingOf !== undefined)
        fault(`${one.sharesEncodingOf} is tied itself`, i);
      for (const name of [one.sharesEncodingOf, one.scaleFrom?.input, one.scaleFrom?.weight]) {
        if (name !== undefined && !byValue.has(name)) fault(`expected an entry of the plan, got ${name}`, i);
      }
    });
  });

/** The plan as text: JSON, an entry a line. */
export function planToJson(plan: Plan): string {
  expectArguments("planToJson(plan)", { plan: [plan, "plan"] });
  const { version, target, entries, notQuantized, half } = plan;
  const lines = (rows: readonly unknown[]) =>
    rows.length === 0 ? "[]" : `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]`;
  const ports = half?.ports ? `"ports": true, ` : "";
  const halfText = half ? `,\n"half": {"dtype": "${half.dtype}", ${ports}"float": ${lines(half.float)}}` : "";
  return `{"version": ${version}, "target": ${JSON.stringify(target)},\n"entries": ${lines(entries)},\n"notQuantized": ${lines(notQuantized)}${halfText}}\n`;
}

/** Reads what `planToJson` wrote, or what somebody wrote by hand. Throws `quant/invalid-plan` with every fault. */
export function planFromJson(text: string, at = "plan.json"): Plan {
  expectArguments("planFromJson(text)", { text: [text, "text"] });
  return parsePlan(parseJson(text, { at, code: "quant/invalid-plan" }), at);
}

/** Checks what such a text holds. Throws `quant/invalid-plan` with every fault. */
export function parsePlan(json: unknown, at: string): Plan {
  const result = plan.safeParse(json);
  if (result.success) return result.data as Plan;
  throw new AvocetError("quant/invalid-plan", `the plan has faults:\n${z.prettifyError(result.error)}`, {
    at,
    hint: "`avocet plan` writes a fresh one",
  });
}
