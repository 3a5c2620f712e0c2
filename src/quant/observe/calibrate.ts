/**
 * Calibration: a placed plan, a float model and data in; the plan with encodings, and what was seen, out. Frozen
 * entries keep their encoding, tied ones take their group's, fixed ranges replace what was observed.
 */
import { AvocetError, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import { cloneModel, type Model, type TensorType, type Value } from "../../ir/inner.ts";
import { firstSample, type Runtime, type SessionOptions, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { PlanContext } from "../constraints/constraint.ts";
import { constrained } from "../constraints/constraints.ts";
import { quantizeDequantize } from "../grids/fake-quantize.ts";
import { GrowingHistogram } from "../observers/growing-histogram.ts";
import { type Observer, type Scheme, seesSamples } from "../observers/observer.ts";
import { outputGains } from "../observers/output-gain.ts";
import type { ValueStatistics } from "../observers/statistics.ts";
import type { Plan } from "../plan/plan.ts";
import { encodeActivations, encodeBiases, encodeWeights, needsObserver, weightOf } from "./encode-plan.ts";
import { observe } from "./observe.ts";
import { withSensitivity } from "./sensitivity.ts";

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
  const weighted = withWeights(plan, model, weightScheme);
  const observed = floatWeights ? model : withQuantizedWeights(model, weighted);
  const watched = plan.entries.filter(needsObserver).map((entry) => entry.value);
  const types = seesSamples(scheme)
    ? (options.shapes ?? (await traceShapes(model, runtime, await firstSample(dataset, signal))))
    : undefined;
  const gains = types && scheme === "sqnr" ? outputGains(types) : undefined;
  const work = { session, signal, onProgress };
  const joined = new Map(
    plan.entries.flatMap(({ value, observed: counts, sharesEncodingOf: head }) =>
      counts && head !== undefined && watched.includes(head) ? [[value, head] as const] : [],
    ),
  );
  const seen = await observe(observed, watched, runtime, dataset, { scheme, batch, gains, joined, types, ...work });
  const observers = scheme === "sqnr" ? await withSensitivity(observed, seen, runtime, dataset, work) : seen;
  return {
    plan: withRanges(weighted, observers, { model, shapes: options.shapes }),
    statistics: statisticsOf(plan, observers, model.graph.valuesByName()),
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
  shapes?: PlanContext["shapes"],
): Plan {
  const absent = plan.entries.filter((entry) => needsObserver(entry) && !observers.has(entry.value));
  if (absent.length > 0) {
    throw new AvocetError(
      "quant/not-calibrated",
      `expected an observer for every activation, got none for ${absent.map((entry) => entry.value).join(", ")}`,
      { at: model.source ?? model.graph.name, hint: "calibrate with data, or keep these values in float" },
    );
  }
  return withRanges(withWeights(plan, model, weightScheme), observers, { model, shapes });
}

function withWeights(plan: Plan, model: Model, scheme: Scheme): Plan {
  return constrained("weights", encodeWeights(plan, model.graph.valuesByName(), scheme), { model });
}

function withRanges(weighted: Plan, observers: ReadonlyMap<string, Observer>, context: PlanContext): Plan {
  const ranged = encodeActivations(weighted, observers, context.model.graph.valuesByName());
  return encodeBiases(constrained("ranges", ranged, context), context.model);
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

/** What was seen of every observed value, and of every weight. */
function statisticsOf(
  plan: Plan,
  observers: ReadonlyMap<string, Observer>,
  values: ReadonlyMap<string, Value>,
): ValueStatistics[] {
  return plan.entries.flatMap(({ value, kind }) => {
    const observer = observers.get(value) ?? (kind === "weight" ? histogramOf(weightOf(value, values)) : undefined);
    return observer ? [{ value, ...observer.statistics() }] : [];
  });
}

function histogramOf(weight: Tensor): GrowingHistogram {
  const histogram = new GrowingHistogram();
  histogram.see(weight.floats());
  return histogram;
}
