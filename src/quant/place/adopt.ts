/** A plan that was written or edited by hand, in the place of placement: it must fit the model, and what shares an encoding one grid. */
import { AvocetError, nearest } from "../../base/inner.ts";
import { initializerOf } from "../../facts/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { granularityName } from "../grids/encoding.ts";
import { gridName } from "../grids/grid.ts";
import { sliceCount } from "../grids/slices.ts";
import { refuseGrid } from "../grids/usable-grid.ts";
import { entriesByValue, hasFrozenEncoding, type Plan, type PlanEntry } from "../plan/plan.ts";
import { refuseUnfit } from "./acceptable.ts";

/**
 * The plan for a prepared model, as calibration fills it: encodings are dropped but for frozen ones, which a method or a person
 * decided. Throws `quant/no-such-value` for a value that the model lacks, `quant/unsupported-grid`, `quant/unsupported-granularity` for
 * scales that do not fit a weight, `quant/invalid-plan` where a value is of another kind, where a bias is not on the accumulator's grid, and where values that share an encoding are on
 * different grids, and `quant/nothing-to-quantize` for a plan without entries.
 */
export function adoptPlan(model: Model, plan: Plan): Plan {
  refuseUnfit(model);
  const values = model.graph.valuesByName();
  const entries = entriesByValue(plan);
  if (plan.entries.length === 0 && !plan.half) {
    throw new AvocetError("quant/nothing-to-quantize", "expected a plan with entries, got one without", {
      at: model.source ?? model.graph.name,
      hint: "`avocet plan` writes one",
    });
  }
  for (const entry of plan.entries) {
    const value = values.get(entry.value);
    if (!value) throw absent(entry.value, [...values.keys()], model);
    refuseGrid(entry.grid, entry.kind, entry.value);
    refuseKind(entry, value);
    refuseSlices(entry, value);
    const head = entry.sharesEncodingOf === undefined ? undefined : entries.get(entry.sharesEncodingOf);
    if (head && gridName(head.grid) !== gridName(entry.grid)) throw apart(entry, head);
  }
  return { ...plan, entries: plan.entries.map((entry) => (hasFrozenEncoding(entry) ? entry : blank(entry))) };
}

function blank({ encoding: _, ...entry }: PlanEntry): PlanEntry {
  return entry;
}

function absent(name: string, names: readonly string[], model: Model): AvocetError {
  const near = nearest(name, names, 3);
  return new AvocetError("quant/no-such-value", `expected values of the model, got ${name}`, {
    at: model.source ?? model.graph.name,
    hint: near.length > 0 ? `did you mean ${near.join(", ")}?` : "names are those of `avocet plan` of the same model",
  });
}

function refuseKind({ value: name, kind, grid, scaleFrom }: PlanEntry, value: Value): void {
  if (kind === "bias" && (gridName(grid) !== "int32" || !scaleFrom)) {
    const got = gridName(grid) === "int32" ? "no scaleFrom" : gridName(grid);
    throw new AvocetError(
      "quant/invalid-plan",
      `expected int32 and a scaleFrom for an entry of kind bias, got ${got}`,
      {
        at: name,
        hint: "a bias is added to an accumulator and has its scale; without an entry it stays in float",
      },
    );
  }
  if ((kind === "activation") === (initializerOf(value) === undefined)) return;
  const what = kind === "activation" ? "a value that is computed" : "a constant";
  throw new AvocetError("quant/invalid-plan", `expected ${what} for an entry of kind ${kind}, got another`, {
    at: name,
    hint: "weights and biases are constants of the model, activations are not",
  });
}

function refuseSlices({ value: name, granularity }: PlanEntry, value: Value): void {
  const shape = value.initializer?.shape;
  try {
    if (shape) sliceCount(shape, granularity);
    else if (granularity.kind === "tensor") return;
    else throw new AvocetError("tensor/wrong-size", "activations have one scale");
  } catch (cause) {
    if (!AvocetError.is(cause)) throw cause;
    const message = `expected scales that fit the value, got some ${granularityName(granularity)}: ${cause.message}`;
    throw new AvocetError("quant/unsupported-granularity", message, {
      at: name,
      hint: 'a weight with { "kind": "tensor" } has one scale',
      cause,
    });
  }
}

function apart(entry: PlanEntry, head: PlanEntry): AvocetError {
  return new AvocetError(
    "quant/invalid-plan",
    `expected ${entry.value} and ${head.value} on one grid, got ${gridName(entry.grid)} and ${gridName(head.grid)}`,
    { at: entry.value, hint: `they share an encoding ("sharesEncodingOf"): ${entry.reason}` },
  );
}
