/**
 * Calibration: a placed plan, a float model and data in; the plan with encodings, and what was seen, out. Frozen
 * entries keep their encoding, tied ones take their group's, fixed ranges replace what was observed.
 */
import { AvocetError, type Work } from "../../base/index.ts";
import type { Dataset } from "../../data/index.ts";
import { cloneModel, type Model, type TensorType, type Value } from "../../ir/index.ts";
import { firstSample, type Runtime, type SessionOptions, traceShapes } from "../../runtime/index.ts";
import { Tensor } from "../../tensor/index.ts";
import { withinClip } from "../constraints/fit-clip.ts";
import { type Shapes, withoutHalfwaySums } from "../constraints/halfway-sums.ts";
import { holdBiases } from "../constraints/hold-biases.ts";
import { withPairSafeScales } from "../constraints/pair-saturation.ts";
import { protectWeightScales } from "../constraints/protect-weight-scales.ts";
import type { Encoding } from "../grids/encoding.ts";
import { quantizeDequantize } from "../grids/fake-quantize.ts";
import { isScaled, scaledCodecOf } from "../grids/grid.ts";
import { choiceOf, encodingOfAffines, encodingOfRange } from "../grids/ranged-encoding.ts";
import { GrowingHistogram } from "../observers/growing-histogram.ts";
import type { Observer, Scheme } from "../observers/observer.ts";
import { OutputGains } from "../observers/output-gain.ts";
import type { ValueStatistics } from "../observers/statistics.ts";
import { type Ends, usefulRange } from "../observers/useful-range.ts";
import { encodeWeight } from "../observers/weight-encoding.ts";
import { biasEncoding } from "../plan/bias-encoding.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries } from "../plan/plan.ts";
import { observe } from "./observe.ts";

export interface CalibrateOptions extends Work {
  /** Default "sqnr". */
  readonly scheme?: Scheme;
  /** The scheme of weights. Default: that of the activations. */
  readonly weightScheme?: Scheme;
  /**
   * Whether activations are observed with float weights. Default false: the weights are rounded to their grids first (as
   * AIMET does), because the ranges that matter are those of the quantized model.
   */
  readonly floatWeights?: boolean;
  /** Samples a run. Default: the runtime's choice. With `tf_enhanced` the batch changes the result, as in AIMET. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  /** Types of the values as they run (`traceShapes`). Default: traced with the first sample. */
  readonly shapes?: ReadonlyMap<string, TensorType>;
}

export interface Calibration {
  readonly plan: Plan;
  /** Of every observed activation and every weight, in the order of the plan. */
  readonly statistics: readonly ValueStatistics[];
}

/**
 * Fills the plan's encodings. Throws `data/none` without samples, `data/not-finite` for NaN and infinities (naming the
 * first node that gave them), `quant/no-such-value` when plan and model do not belong together.
 */
export async function calibrate(
  model: Model,
  plan: Plan,
  runtime: Runtime,
  dataset: Dataset,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const { scheme = "sqnr", weightScheme = scheme, floatWeights = false, batch, session, signal, onProgress } = options;
  const values = model.graph.valuesByName();
  const weighted = withPairSafeScales(encodeWeights(plan, values, weightScheme), model);
  const watched = plan.entries.filter(needsObserver).map((entry) => entry.value);
  const gains = scheme === "sqnr" ? await gainsOf(model, runtime, dataset, options) : undefined;
  const observed = floatWeights ? model : withQuantizedWeights(model, weighted);
  const observers = await observe(observed, watched, runtime, dataset, {
    scheme,
    batch,
    gains,
    session,
    signal,
    onProgress,
  });
  const statistics = new Map<string, ValueStatistics>();
  for (const [value, observer] of observers) statistics.set(value, { value, ...observer.statistics() });
  for (const entry of plan.entries) {
    if (entry.kind === "weight" && !statistics.has(entry.value)) {
      statistics.set(entry.value, weightStatistics(entry.value, values));
    }
  }
  return {
    plan: withRanges(weighted, observers, model, options.shapes),
    statistics: plan.entries.flatMap((entry) => statistics.get(entry.value) ?? []),
  };
}

/**
 * Fills the plan's encodings from observers that have seen their values elsewhere: what statistics promise, what another
 * run recorded. Weights are encoded from their elements. `shapes` are the types of the values as they run. Throws `quant/not-calibrated` naming values without an observer.
 */
export function encodeObserved(
  model: Model,
  plan: Plan,
  observers: ReadonlyMap<string, Observer>,
  weightScheme: Scheme = "sqnr",
  shapes?: Shapes,
): Plan {
  const absent = plan.entries.filter((entry) => needsObserver(entry) && !observers.has(entry.value));
  if (absent.length > 0) {
    throw new AvocetError(
      "quant/not-calibrated",
      `expected an observer for every activation, got none for ${absent.map((entry) => entry.value).join(", ")}`,
      { at: model.source ?? model.graph.name, hint: "calibrate with data, or keep these values in float" },
    );
  }
  const weighted = encodeWeights(plan, model.graph.valuesByName(), weightScheme);
  return withRanges(withPairSafeScales(weighted, model), observers, model, shapes);
}

function withRanges(weighted: Plan, observers: ReadonlyMap<string, Observer>, model: Model, shapes?: Shapes): Plan {
  const ranged = encodeActivations(weighted, observers, model.graph.valuesByName());
  return withBiasEncodings(protectWeightScales(withoutHalfwaySums(ranged, model, shapes), model), model);
}

async function gainsOf(
  model: Model,
  runtime: Runtime,
  dataset: Dataset,
  { shapes, signal }: CalibrateOptions,
): Promise<OutputGains> {
  const types = shapes ?? (await traceShapes(model, runtime, await firstSample(dataset, signal)));
  // Channels are on axis 1 in the layouts of ONNX.
  return new OutputGains((value) => {
    const length = types.get(value.name)?.shape?.[1];
    return typeof length === "number" ? length : undefined;
  });
}

function hasFrozenEncoding(entry: PlanEntry): boolean {
  return entry.frozen === true && entry.encoding !== undefined;
}

/** Whether calibration observes the value: an activation with a scale that is not fixed, frozen or shared. */
export function needsObserver(entry: PlanEntry): boolean {
  if (entry.kind !== "activation" || !isScaled(entry.grid) || entry.tiedTo !== undefined) return false;
  const fixed = entry.range?.min !== undefined && entry.range.max !== undefined;
  return !fixed && !hasFrozenEncoding(entry);
}

function encodeActivations(
  plan: Plan,
  observers: ReadonlyMap<string, Observer>,
  values: ReadonlyMap<string, Value>,
): Plan {
  const groups = new Map<string, Value[]>();
  for (const { value, tiedTo = value } of plan.entries) {
    const found = values.get(value);
    if (found) groups.set(tiedTo, [...(groups.get(tiedTo) ?? []), found]);
  }
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (entry.kind !== "activation" || !isScaled(entry.grid) || hasFrozenEncoding(entry)) continue;
    if (entry.tiedTo === undefined) {
      const useful = usefulRange(groups.get(entry.value) ?? []);
      const encoding = activationEncoding(entry, observers, useful);
      const producer = values.get(entry.value)?.producer ?? null;
      changed.set(entry.value, { ...entry, encoding: withinClip(encoding, producer, entry.shortScale !== undefined) });
    }
  }
  const heads = entriesByValue(withEntries(plan, changed));
  for (const entry of plan.entries) {
    if (entry.tiedTo === undefined || hasFrozenEncoding(entry)) continue;
    const head = heads.get(entry.tiedTo);
    if (!head) {
      throw new AvocetError("quant/no-such-value", `expected an entry of the plan, got ${entry.tiedTo}`, {
        at: entry.value,
        hint: "a tied entry names another entry that has an observer",
      });
    }
    if (head.encoding) changed.set(entry.value, { ...entry, encoding: head.encoding });
  }
  return withEntries(plan, changed);
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

/** A copy of the model whose weights are what their grids can represent. */
function withQuantizedWeights(model: Model, plan: Plan): Model {
  const copy = cloneModel(model);
  const values = copy.graph.valuesByName();
  for (const { kind, value, encoding } of plan.entries) {
    if (kind !== "weight" || !encoding) continue;
    const constant = values.get(value)!;
    const tensor = weightOf(value, values);
    const rounded = () => quantizeDequantize(tensor, encoding, "half-away").data;
    constant.initializer = Tensor.lazy("float32", tensor.shape, rounded);
  }
  return copy;
}

function weightOf(name: string, values: ReadonlyMap<string, Value>) {
  const tensor = values.get(name)?.initializer;
  if (tensor) return tensor;
  throw new AvocetError("quant/no-such-value", `expected a constant of the model, got ${name}`, {
    hint: "plan and model must belong together: place the plan on the model that is calibrated",
  });
}

function encodeWeights(plan: Plan, values: ReadonlyMap<string, Value>, scheme: Scheme): Plan {
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (entry.kind !== "weight" || !isScaled(entry.grid) || entry.tiedTo !== undefined || hasFrozenEncoding(entry))
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

/**
 * The plan with the encoding of every int32 bias made anew from those of its activation and its weight, and weight scales enlarged
 * where a bias would not hold (hold-biases.ts).
 */
export function withBiasEncodings(given: Plan, model: Model): Plan {
  const plan = holdBiases(given, model);
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
    changed.set(entry.value, { ...entry, encoding: biasEncoding(input, weight, size) });
  }
  return withEntries(plan, changed);
}

function weightStatistics(value: string, values: ReadonlyMap<string, Value>): ValueStatistics {
  const histogram = new GrowingHistogram();
  histogram.see(weightOf(value, values).floats());
  return { value, ...histogram.statistics() };
}
