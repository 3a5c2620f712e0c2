/** A plan that a file of encodings stands for: as AIMET loads one, what the file does not name has no quantizer. */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { applyEncodings } from "./apply-encodings.ts";
import { hasFrozenEncoding, type Plan } from "./plan.ts";
import type { EncodingsFile } from "./read-encodings.ts";

export interface ImportOptions {
  /** Whether entries that the file does not name stay in the plan, to be calibrated. Default false: they become float. */
  readonly partial?: boolean;
  /** Whether a name that no quantizer of the plan takes is an error. Default false: it is ignored, and returned. */
  readonly strict?: boolean;
}

export interface ImportedPlan {
  readonly plan: Plan;
  /** Names of the file that the plan has no quantizer for. */
  readonly ignored: readonly string[];
  /** Entries of the placed plan that the file does not name. */
  readonly missing: readonly string[];
}

/** The plan with the encodings of the file, frozen. Throws `quant/invalid-encodings`. */
export function importEncodings(
  placed: Plan,
  file: EncodingsFile,
  model: Model,
  { partial = false, strict = false }: ImportOptions = {},
): ImportedPlan {
  const { plan, ignored } = applyEncodings(placed, file, model);
  if (strict && ignored.length > 0) {
    const shown = ignored.slice(0, 5).join(", ");
    throw new AvocetError(
      "quant/invalid-encodings",
      `expected tensors that the plan quantizes, got ${ignored.length} others: ${shown}`,
      {
        at: model.source ?? model.graph.name,
        hint: "without --strict they are ignored; the target that the file was made for places quantizers where it has encodings",
      },
    );
  }
  const half = new Set(file.half);
  const has = (value: string) => half.has(value);
  const missing = plan.entries.filter(
    (entry) => !hasFrozenEncoding(entry) && !has(entry.value) && entry.kind !== "bias",
  );
  if (partial) return { plan, ignored, missing: missing.map(({ value }) => value) };
  const gone = new Set(missing.map(({ value }) => value));
  const kept = plan.entries.filter(
    ({ value, sharesEncodingOf, scaleFrom }) =>
      !gone.has(value) &&
      !(sharesEncodingOf !== undefined && gone.has(sharesEncodingOf)) &&
      !(scaleFrom && (gone.has(scaleFrom.input) || gone.has(scaleFrom.weight))),
  );
  const left = missing.map(({ value }) => ({ value, reason: "the file of encodings does not name it" }));
  return {
    plan: { ...plan, entries: kept, notQuantized: [...plan.notQuantized, ...left] },
    ignored,
    missing: [...gone],
  };
}
