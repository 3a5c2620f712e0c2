/** The plan: which values are quantized, on which grid, with which encoding, and why. Plain data, keyed by value name. */

import { AvocetError } from "../../base/inner.ts";
import type { Grid } from "../grids/codec.ts";
import type { Encoding, Granularity } from "../grids/encoding.ts";
import type { StorageName } from "../grids/storage-names.ts";
import type { TwoLevelChoice } from "../grids/two-level.ts";

export interface PlanEntry {
  /** Name of the value in the normalised model. */
  readonly value: string;
  readonly kind: "activation" | "weight" | "bias";
  readonly grid: Grid;
  readonly granularity: Granularity;
  readonly symmetric: boolean;
  /** Symmetric around zero with as many steps up as down (−127 … 127). Default false. */
  readonly narrowRange?: boolean;
  /** A symmetric value without negatives uses 0 … 2^bits − 1. Default false. */
  readonly unsignedSymmetric?: boolean;
  /** The scale must grow until two neighbouring products with uint8 fit 16 bits (pair-saturation.ts). Default false. */
  readonly pairSafe?: true;
  /** Scales are chosen to have few significant bits; "coarse": to be 2^k or 3 · 2^k (short-scale.ts). Default false. */
  readonly shortScale?: true | "coarse";
  /** An int8 activation stays int8 in the file. Default: it is counted from its lowest number there, as uint8. */
  readonly staysSigned?: true;
  /** A weight of 3 or 4 bits is dequantized as it lies, packed. Default: a Cast widens it as the file loads. */
  readonly staysNarrow?: true;
  /** Scales of blocks are products of a coarse one and a factor of few bits (two-level.ts). Default: they are not. */
  readonly twoLevel?: TwoLevelChoice;
  /** A constant that is a parameter though its operator owns none: the gain of a normalization written out in arithmetic. */
  readonly parameter?: true;
  /** Numbers fixed by the target (Softmax: 0 … 1), instead of what was observed. */
  readonly range?: { readonly min?: number; readonly max?: number };
  /**
   * Shares the encoding of that entry instead of having its own observer: a Concat's inputs, the output of an
   * operator that moves data. The named entry is never tied itself.
   */
  readonly sharesEncodingOf?: string;
  /** Next to `sharesEncodingOf`: its numbers count for the common range, too, as do those of all states of a recurrent operator. */
  readonly observed?: true;
  /**
   * Who goes on reading the float number, which is there anyway: operators in float, each by the name of its first output; the
   * value's own name where it is an output of the model. Absent: everybody reads what the quantizer returns.
   */
  readonly floatReaders?: readonly string[];
  /** What the weight is stored for; absent: integers behind a DequantizeLinear. */
  readonly storage?: StorageName;
  /** Next to `storage: "matmulnbits"`: the product rounds its inputs to int8 as it runs. Default: it computes in float32. */
  readonly accuracyLevel?: 4;
  /** For a bias: the activation and the weight whose scales multiply to its own. */
  readonly scaleFrom?: { readonly input: string; readonly weight: string };
  /** Which rule placed it, in one sentence for people. */
  readonly reason: string;
  /** Filled by calibration or a method. */
  readonly encoding?: Encoding;
  /** A method decided this encoding together with the weights: calibration leaves it alone. */
  readonly frozen?: boolean;
}

export interface NotQuantized {
  /** The value that was not quantized. */
  readonly value: string;
  readonly reason: string;
}

/** The operators that no quantizer is for compute in half precision. */
export interface HalfPrecision {
  readonly dtype: "float16";
  /** Inputs and outputs of the model are half precision, too. Default: they stay float32. */
  readonly ports?: true;
  /** Operators that stay in float32, each by the name of its first output, with the reason; lowering adds those that cannot be half. */
  readonly float: readonly NotQuantized[];
}

/**
 * Which values of a model get a quantizer, on which grid, at which granularity, with which encoding, and why: plain data that can be
 * saved, compared and edited by hand. Names are those of the prepared model.
 *
 * @example
 * const { decided, plan } = await quantize(model, data);
 * const coarse = { ...plan, entries: plan.entries.filter(({ value }) => value !== "logits") }; // the output stays in float
 * const { model: shipped } = lower(decided, coarse);
 */
export interface Plan {
  readonly version: 1;
  /** Name of the target it was placed for. */
  readonly target: string;
  readonly entries: readonly PlanEntry[];
  /** Float values without a quantizer, each with the rule that left it out. */
  readonly notQuantized: readonly NotQuantized[];
  /** Absent: what has no quantizer is computed in float32. */
  readonly half?: HalfPrecision;
}

/** Whether a method decided the encoding together with the weights. */
export function hasFrozenEncoding(entry: PlanEntry): boolean {
  return entry.frozen === true && entry.encoding !== undefined;
}

/** The plan with the encodings of tied entries as those of their heads are; frozen ones stay. Throws `quant/no-such-value`. */
export function withTies(plan: Plan): Plan {
  const entries = entriesByValue(plan);
  const tied = plan.entries.filter((entry) => entry.sharesEncodingOf !== undefined && !hasFrozenEncoding(entry));
  const changed = new Map<string, PlanEntry>();
  for (const entry of tied) {
    const head = entries.get(entry.sharesEncodingOf!);
    if (!head) {
      throw new AvocetError("quant/no-such-value", `expected an entry of the plan, got ${entry.sharesEncodingOf}`, {
        at: entry.value,
        hint: "a tied entry names another entry that has an observer",
      });
    }
    if (head.encoding) changed.set(entry.value, { ...entry, encoding: head.encoding });
  }
  return withEntries(plan, changed);
}

/** The entries by value name. */
export function entriesByValue(plan: Plan): Map<string, PlanEntry> {
  return new Map(plan.entries.map((entry) => [entry.value, entry]));
}

/** A plan with some entries replaced, by value name; order stays. */
export function withEntries(plan: Plan, changed: ReadonlyMap<string, PlanEntry>): Plan {
  return { ...plan, entries: plan.entries.map((entry) => changed.get(entry.value) ?? entry) };
}
