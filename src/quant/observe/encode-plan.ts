/** Fills the encodings of a plan: of weights from their elements, of activations from their observers, of biases from both. */
import { AvocetError } from "../../base/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { holdBiases } from "../constraints/hold-biases.ts";
import type { Encoding } from "../grids/encoding.ts";
import { isScaled, scaledCodecOf } from "../grids/grid.ts";
import { choiceOf, encodingOfAffines, encodingOfRange } from "../grids/ranged-encoding.ts";
import type { Observer, Scheme } from "../observers/observer.ts";
import { type Ends, usefulRange } from "../observers/useful-range.ts";
import { encodeWeight } from "../observers/weight-encoding.ts";
import { biasEncoding } from "../plan/bias-encoding.ts";
import { entriesByValue, hasFrozenEncoding, type Plan, type PlanEntry, withEntries, withTies } from "../plan/plan.ts";

/** Whether calibration observes the value: an activation with a scale that is not fixed, frozen or shared. */
export function needsObserver(entry: PlanEntry): boolean {
  if (entry.kind !== "activation" || !isScaled(entry.grid) || entry.sharesEncodingOf !== undefined) return false;
  const fixed = entry.range?.min !== undefined && entry.range.max !== undefined;
  return !fixed && !hasFrozenEncoding(entry);
}

/** The plan with the weights encoded as the scheme says. Throws `data/not-finite` naming the weight. */
export function encodeWeights(plan: Plan, values: ReadonlyMap<string, Value>, scheme: Scheme): Plan {
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (
      entry.kind !== "weight" ||
      !isScaled(entry.grid) ||
      entry.sharesEncodingOf !== undefined ||
      hasFrozenEncoding(entry)
    )
      continue;
    const tensor = weightOf(entry.value, values);
    try {
      changed.set(entry.value, { ...entry, encoding: encodeWeight(tensor, entry, scheme) });
    } catch (error) {
      if (!AvocetError.is(error) || error.detail.at !== undefined) throw error;
      throw new AvocetError(error.code, error.message, { ...error.detail, at: entry.value });
    }
  }
  return withEntries(plan, changed);
}

/** The plan with the activations encoded as their observers propose; tied ones follow. */
export function encodeActivations(
  plan: Plan,
  observers: ReadonlyMap<string, Observer>,
  values: ReadonlyMap<string, Value>,
): Plan {
  const groups = new Map<string, Value[]>();
  for (const { value, sharesEncodingOf = value } of plan.entries) {
    const found = values.get(value);
    if (found) groups.set(sharesEncodingOf, [...(groups.get(sharesEncodingOf) ?? []), found]);
  }
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (
      entry.kind !== "activation" ||
      !isScaled(entry.grid) ||
      entry.sharesEncodingOf !== undefined ||
      hasFrozenEncoding(entry)
    )
      continue;
    const useful = usefulRange(groups.get(entry.value) ?? []);
    changed.set(entry.value, { ...entry, encoding: activationEncoding(entry, observers, useful) });
  }
  return withTies(withEntries(plan, changed));
}

function activationEncoding(entry: PlanEntry, observers: ReadonlyMap<string, Observer>, useful: Ends): Encoding {
  const { range } = entry;
  const codec = scaledCodecOf(entry.grid);
  const observer = observers.get(entry.value);
  if (!observer) return encodingOfRange(range!.min!, range!.max!, entry);
  const choice = choiceOf(entry);
  const proposed = codec.propose(observer, choice, useful);
  if (range?.min === undefined && range?.max === undefined) return encodingOfAffines([proposed], entry);
  // A target may fix one end only (Relu: minimum 0); the other one is what was observed.
  const [min, max] = codec.range(proposed, choice);
  return encodingOfRange(range.min ?? min, range.max ?? max, entry);
}

/**
 * The plan with the encoding of every int32 bias made again from those of its activation and its weight, and weight scales enlarged
 * where a bias would not hold (hold-biases.ts).
 */
export function withBiasEncodings(plan: Plan, model: Model): Plan {
  return encodeBiases(holdBiases(plan, { model }), model);
}

/** The plan with the encoding of every int32 bias as those of its activation and its weight are. */
export function encodeBiases(plan: Plan, model: Model): Plan {
  const values = model.graph.valuesByName();
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (entry.kind !== "bias" || !entry.scaleFrom || hasFrozenEncoding(entry)) continue;
    const input = entries.get(entry.scaleFrom.input)?.encoding;
    const weight = entries.get(entry.scaleFrom.weight)?.encoding;
    // Without both scales there is no product to follow: the bias stays float.
    if (!input || !weight) continue;
    const { size } = weightOf(entry.value, values);
    const encoding = biasEncoding(input, weight, size);
    // A plan that was edited may say otherwise: a bias has scales where its weight has.
    changed.set(entry.value, { ...entry, granularity: encoding.granularity, encoding });
  }
  return withEntries(plan, changed);
}

/** The data of a constant. Throws `quant/no-such-value`. */
export function weightOf(name: string, values: ReadonlyMap<string, Value>) {
  const tensor = values.get(name)?.initializer;
  if (tensor) return tensor;
  throw new AvocetError("quant/no-such-value", `expected a constant of the model, got ${name}`, {
    hint: "plan and model must belong together: place the plan on the model that is calibrated",
  });
}
