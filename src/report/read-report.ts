/** `report.json` and back: checked when it is read, with the numbers that JSON does not know. */
import { z } from "zod";
import { AvocetError, parseJson } from "../base/inner.ts";
import type { RunReport } from "./run-report.ts";

/** Decibels of equal values are infinite, which JSON cannot say: null. What is no number must not look so. */
const none = "not a number";

/** `report.json`: exact values as null, what is no number as "not a number". */
export function writeReport(report: RunReport): string {
  return `${JSON.stringify(report, jsonNumbers, 1)}\n`;
}

/** A replacer of `JSON.stringify`: exact values become null, what is no number "not a number". */
export function jsonNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  return value > 0 ? null : none;
}

const decibels = z.union([
  z.number(),
  z.literal(none).transform(() => Number.NaN),
  z.null().transform(() => Number.POSITIVE_INFINITY),
]);
const figure = z.union([z.number(), z.literal(none).transform(() => Number.NaN)]);
const share = z.number().nullable();
const pair = z.object({ float: figure, quantized: figure });
const interval = z.tuple([z.number(), z.number()]);
const texts = z.array(z.string());
const range = z.object({ min: figure, max: figure });
const weightSide = z.object({
  shape: z.array(z.number()),
  min: figure,
  max: figure,
  spread: figure,
  outliers: z.array(z.number()),
  channels: z.array(
    z.object({
      channel: z.number(),
      min: figure,
      max: figure,
      mean: figure,
      deviation: figure,
      quartiles: z.tuple([figure, figure, figure]),
      relative: figure,
    }),
  ),
});
const reasons = z.array(z.object({ what: z.string(), reason: z.string() }));

const cells = z
  .object({ width: z.number().int().min(1).max(512), height: z.number().int().min(1).max(512), digits: z.string() })
  .refine(({ width, height, digits }) => digits.length === width * height && /^[0-9a-z]*$/.test(digits));
const box = z.object({ class: z.number(), x1: figure, y1: figure, x2: figure, y2: figure });
const view = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), text: z.string() }),
  z.object({
    kind: z.literal("boxes"),
    boxes: z.array(box.extend({ score: figure.optional(), ignore: z.boolean().optional() })),
  }),
  z.object({ kind: z.literal("mask"), cells, classes: z.array(z.number()) }),
  z.object({ kind: z.literal("signal"), low: z.array(figure), high: z.array(figure) }),
  z.object({ kind: z.literal("image"), cells }),
]);
const example = z.object({
  sample: z.number(),
  input: cells.nullable(),
  truth: view.nullable(),
  float: view,
  quantized: view,
  difference: figure,
});

const schema = z.object({
  version: z.literal(1),
  avocet: z.string(),
  environment: z
    .object({
      command: texts,
      date: z.string(),
      cpu: z.string(),
      threads: z.number().nullable(),
      versions: z.record(z.string(), z.string()),
    })
    .nullable()
    .default(null),
  model: z.object({
    name: z.string(),
    opset: z.number(),
    nodes: z.number(),
    parameters: z.number(),
    quantized: z.number().nullable().default(null),
    macs: z.number().nullable(),
  }),
  settings: z.record(z.string(), z.string()),
  runtime: z.string(),
  score: z
    .object({
      metric: z.string(),
      unit: z.string().default("%"),
      better: z.enum(["higher", "lower"]).default("higher"),
      float: decibels,
      quantized: decibels,
      samples: z.number(),
      interval: z.object({ float: interval, quantized: interval, lost: interval }).nullable().default(null),
      p: share.default(null),
      guessing: z.object({ chance: z.number(), commonest: z.number() }).nullable().default(null),
      classes: share.default(null),
      namedClasses: share.default(null),
      examples: z.array(example).max(64).optional(),
      names: texts.optional(),
    })
    .nullable(),
  agreement: z.object({
    simulation: share,
    float: share,
    of: z.enum(["samples", "pixels", "positions"]).nullable().default(null),
    interval: interval.nullable().default(null),
    choices: share.default(null),
    why: texts.default([]),
  }),
  agreementSamples: z.number(),
  judgedOn: z
    .object({
      data: z.enum(["evaluation", "held-out", "calibration", "training", "noise", "nothing"]),
      seen: z.number(),
      samples: z.number(),
    })
    .nullable()
    .default(null),
  ties: share,
  latencyMs: pair
    .extend({
      losses: z
        .array(z.object({ kernel: z.string(), node: z.string(), float: z.number(), quantized: z.number() }))
        .optional(),
    })
    .nullable(),
  bytes: pair,
  outputs: z.array(z.object({ name: z.string(), sqnr: decibels, cosine: figure })),
  values: z.array(
    z.object({
      name: z.string(),
      op: z.string(),
      layer: z.string().optional(),
      sqnr: decibels,
      cosine: figure,
      fall: figure.nullable(),
      quantizer: z
        .object({
          grid: z.string(),
          scheme: z.string(),
          min: figure,
          max: figure,
          observed: range,
          clipped: figure,
          histogram: z.object({ low: figure, high: figure, counts: z.array(z.number()) }).optional(),
        })
        .optional(),
    }),
  ),
  weights: z.array(
    z.object({
      name: z.string(),
      layer: z.string(),
      grid: z.string(),
      granularity: z.string(),
      channels: z.object({ min: z.array(figure), max: z.array(figure) }),
      limit: z.array(figure),
    }),
  ),
  weightChanges: z
    .array(
      z.object({
        layer: z.string(),
        op: z.string(),
        count: z.tuple([z.number(), z.number()]),
        before: weightSide,
        after: weightSide,
      }),
    )
    .optional(),
  layers: z
    .array(
      z.object({
        name: z.string(),
        op: z.string(),
        macs: z.number().nullable(),
        bytes: z.number(),
        weight: z.string().nullable(),
        activation: z.string().nullable(),
        sqnr: decibels.optional(),
        kernel: z.string().nullable(),
      }),
    )
    .default([]),
  notQuantized: z.array(z.object({ value: z.string(), reason: z.string() })),
  kernels: z.object({
    integer: z.number(),
    float: z.array(z.object({ node: z.string(), reason: z.string() })),
  }),
  differences: z.array(z.object({ value: z.string(), layer: z.string(), differing: z.number(), maxSteps: z.number() })),
  steps: z.array(z.object({ step: z.string(), edits: z.number(), seconds: z.number(), notes: texts })),
  unjudged: reasons.default([]),
  warnings: z
    .array(
      z.object({
        kind: z.enum([
          "random",
          "training-form",
          "near-chance",
          "far-off",
          "class-count",
          "seen-data",
          "within-noise",
          "one-class",
          "not-finite",
          "mostly-float",
          "recurrent-float",
          "slower",
          "larger",
          "not-judged",
          "rounded-inputs",
        ]),
        text: z.string(),
      }),
    )
    .default([]),
  seconds: z.record(z.string(), z.number()),
});

/** The report in a text; `at` names the file. Throws `import/malformed` with every fault at once. */
export function readReport(text: string, at: string): RunReport {
  const json = parseJson(text, { at, code: "import/malformed" });
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  if (typeof json === "object" && json !== null && "sensitivities" in json) {
    throw new AvocetError("import/malformed", "expected a report of quantize, got one of compress", {
      at,
      hint: "its page is report.html next to it; avocet report --sensitivity draws its sensitivity.json",
    });
  }
  const faults = z.prettifyError(result.error).slice(0, 2000);
  throw new AvocetError("import/malformed", `expected a report of quantize, version 1:\n${faults}`, {
    at,
    hint: "quantize and train write it: run them again",
  });
}
