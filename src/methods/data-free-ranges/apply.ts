/**
 * Activation ranges without data (Nagel et al., "Data-Free Quantization", 2019, section 5): a batch norm says that channel
 * c of its output has mean β and deviation |γ|. What follows from there through the graph is in ../expectations; ranges are
 * those of least error (least-error.ts), or β ± k·γ as in the paper.
 */
import { AvocetError, throwIfAborted, type Work } from "../../base/inner.ts";
import type { Model, TensorType } from "../../ir/inner.ts";
import {
  encodeObserved,
  needsObserver,
  type Observer,
  outputGains,
  type Plan,
  type PlanEntry,
  type Scheme,
} from "../../quant/inner.ts";
import type { Expectation } from "../expectations/expectation.ts";
import { type Expectations, expectations } from "../expectations/propagate.ts";
import type { MethodReport } from "../method.ts";
import { expectedObserver, type RangeChoice } from "./range-observer.ts";

export interface DataFreeRangeOptions extends Work {
  /** Types of the values, from `traceShapes` or `declaredTypes`. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  /** What is known of the model's inputs, by name: see `inputExpectation`. */
  readonly inputs?: ReadonlyMap<string, Expectation>;
  /** k, where ranges are so many deviations, and for the ends of what is carried. Default 6. */
  readonly deviations?: number;
  /** Default "least-error", or "deviations" where those are given. */
  readonly ranges?: RangeChoice;
  /** The scheme of the weights, which are there to be looked at. Default "sqnr". */
  readonly weightScheme?: Scheme;
  /** What becomes of values that nothing is known of: an error that lists them, or they stay float. Default "error". */
  readonly unknown?: "error" | "float";
}

/** Fills the plan's encodings. Throws `quant/not-calibrated` listing the values whose range cannot be derived, and why. */
export function dataFreeRanges(
  model: Model,
  plan: Plan,
  options: DataFreeRangeOptions,
): { readonly plan: Plan; readonly report: MethodReport } {
  const start = performance.now();
  throwIfAborted(options);
  const { shapes, inputs, deviations = 6, weightScheme, unknown = "error" } = options;
  const { ranges = options.deviations === undefined ? "least-error" : "deviations" } = options;
  const found = expectations(model.graph, { shapes, deviations, ...(inputs ? { inputs } : {}) });
  const gains = outputGains(shapes);
  const values = model.graph.valuesByName();
  const observers = new Map<string, Observer>();
  const lost = new Map<string, string>();
  const notes: string[] = [];
  for (const entry of plan.entries) {
    if (!needsObserver(entry)) continue;
    const value = values.get(entry.value);
    const expected = value && found.of.get(value);
    if (!expected) {
      lost.set(entry.value, (value && found.unknown.get(value)) ?? "it is not in the model");
      continue;
    }
    observers.set(entry.value, expectedObserver(expected, ranges, deviations, gains.of(value)));
    if (expected.basis !== "batch-norm") notes.push(`${entry.value}: its range is ${origin(expected)}`);
  }
  if (lost.size > 0 && unknown === "error") throw underivable(model, lost);
  const kept = lost.size > 0 ? withoutValues(plan, lost) : plan;
  for (const [value, reason] of lost) notes.push(`${value}: stays float: ${reason}`);
  return {
    plan: encodeObserved(model, kept, observers, weightScheme, shapes),
    report: { step: "data-free-ranges", edits: observers.size, seconds: (performance.now() - start) / 1000, notes },
  };
}

/** What is expected of the values of a model: for reports, and for those who want to look. */
export function expectedValues(model: Model, options: DataFreeRangeOptions): Expectations {
  return expectations(model.graph, options);
}

function origin({ basis }: Expectation): string {
  if (basis === "input") return "what is known of the model's input";
  if (basis === "bounded") return "all that the operator can give";
  return "carried from batch norms through sums and products, as if what is added were independent";
}

function underivable(model: Model, lost: ReadonlyMap<string, string>): AvocetError {
  const lines = [...lost].map(([value, reason]) => `  ${value}: ${reason}`);
  return new AvocetError(
    "quant/not-calibrated",
    `expected a range for every activation, ${lost.size} cannot be derived without data:\n${lines.join("\n")}`,
    {
      at: model.source ?? model.graph.name,
      hint: "give the range of the inputs or calibration data, or let these values stay in float",
    },
  );
}

/** The entries go, with those that share their encoding and biases that were scaled by it; the reasons stay. */
function withoutValues(plan: Plan, lost: ReadonlyMap<string, string>): Plan {
  const reasonOf = (entry: PlanEntry) =>
    lost.get(entry.value) ??
    lost.get(entry.sharesEncodingOf ?? "") ??
    (lost.has(entry.scaleFrom?.input ?? "") ? "the bias cannot share the scales of input and weight" : undefined);
  const tied = new Set(
    plan.entries.filter((entry) => lost.has(entry.sharesEncodingOf ?? "")).map((entry) => entry.value),
  );
  const isGone = (entry: PlanEntry) => reasonOf(entry) !== undefined || tied.has(entry.scaleFrom?.input ?? "");
  return {
    ...plan,
    entries: plan.entries.filter((entry) => !isGone(entry)),
    notQuantized: [
      ...plan.notQuantized,
      ...plan.entries.filter(isGone).map((entry) => ({
        value: entry.value,
        reason: reasonOf(entry) ?? "the bias cannot share the scales of input and weight",
      })),
    ],
  };
}
