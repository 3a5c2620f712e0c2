/** Statistics from a file of strangers: every number is checked before a range is made of it. */
import { z } from "zod";
import { AvocetError, parseJson } from "../../base/inner.ts";
import { binCount } from "../observers/histogram-kernel.ts";
import type { Statistics } from "./statistics-file.ts";

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
/** float32 reaches 2^128; below 2^−120 quotients of its numbers leave what is normal. */
const exponent = z.number().int().min(-120).max(128);
const float = z.number().min(-3.5e38).max(3.5e38);

const seen = z
  .strictObject({
    min: float,
    max: float,
    count: count.min(1),
    histogram: z
      .strictObject({
        exponent,
        origin: z
          .number()
          .int()
          .min(-(2 ** 40))
          .max(2 ** 40),
        counts: z.array(count).min(1).max(binCount),
        zeros: count,
      })
      .optional(),
  })
  .superRefine(({ min, max, count, histogram }, context) => {
    const fault = (message: string) => context.addIssue({ code: "custom", message });
    if (min > max) fault(`expected min ≤ max, got ${min} and ${max}`);
    if (!histogram) return;
    const { counts, origin, exponent, zeros } = histogram;
    const total = counts.reduce((sum, here) => sum + here, 0);
    if (total !== count) fault(`expected counts that add up to ${count}, got ${total}`);
    if (zeros > count) fault(`expected at most ${count} zeros, got ${zeros}`);
    const width = 2 ** exponent;
    // Ends are exact, and of values that were sampled they may lie outside what was counted.
    const [left, right] = [origin * width, (origin + counts.length) * width];
    if (left + width < min - width || right - width > max + width)
      fault(`expected bins between ${min} and ${max}, got ${left} to ${right}`);
  });

const statistics = z.strictObject({
  version: z.literal(1),
  samples: count.min(1),
  values: z.record(z.string(), seen).refine((values) => Object.keys(values).length > 0, "expected values, got none"),
});

/** Reads what `avocet observe` wrote, or what somebody wrote by hand. Throws `quant/invalid-statistics` with every fault. */
export function readStatistics(text: string, at = "statistics.json"): Statistics {
  const hint = "`avocet observe` writes a fresh one";
  const json = parseJson(text, { at, code: "quant/invalid-statistics", hint });
  const result = statistics.safeParse(json);
  if (result.success) return result.data;
  throw new AvocetError("quant/invalid-statistics", `the statistics have faults:\n${z.prettifyError(result.error)}`, {
    at,
    hint,
  });
}
