/** What a plan must have before anything of a file is written: values, encodings, grids that there are operators for. */
import { AvocetError } from "../../base/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { granularityName } from "../grids/encoding.ts";
import { gridName, isScaled } from "../grids/grid.ts";
import { refuseGrid } from "../grids/usable-grid.ts";
import { entriesByValue, type Plan, type PlanEntry } from "../plan/plan.ts";
import { storageForms } from "./storage.ts";

/** Throws `quant/no-such-value`, `quant/not-calibrated`, `quant/unsupported-grid` and `quant/invalid-plan`. */
export function refuseUnready(model: Model, plan: Plan): void {
  const values = model.graph.valuesByName();
  const absent = plan.entries.filter((entry) => !values.has(entry.value));
  if (absent.length > 0) {
    throw new AvocetError("quant/no-such-value", `expected values of the model, got ${listed(absent)}`, {
      at: model.source ?? model.graph.name,
      hint: "lower the plan with the very model that it was placed on: preparation renames and folds values",
    });
  }
  for (const entry of plan.entries) refuseGrid(entry.grid, entry.kind, entry.value);
  const empty = plan.entries.filter((entry) => isScaled(entry.grid) && entry.kind !== "bias" && !entry.encoding);
  if (empty.length > 0) {
    throw new AvocetError(
      "quant/not-calibrated",
      `expected an encoding for every entry, got none for ${listed(empty)}`,
      {
        at: model.source ?? model.graph.name,
        hint: "calibrate the plan first",
      },
    );
  }
  const entries = entriesByValue(plan);
  for (const entry of plan.entries) {
    refuseStale(entry);
    refuseStorage(entry, values, entries);
  }
}

/** A weight that the form it is to be stored in cannot hold: an entry that was changed by hand. */
function refuseStorage(
  entry: PlanEntry,
  values: ReadonlyMap<string, Value>,
  entries: ReadonlyMap<string, PlanEntry>,
): void {
  if (entry.storage === undefined) return;
  const form = storageForms[entry.storage];
  const refused = form.refusal(entry, values.get(entry.value)!, entries);
  if (refused === undefined) return;
  throw new AvocetError(
    "quant/invalid-plan",
    `expected a weight for ${form.title}, got one that it cannot hold: ${refused}`,
    {
      at: entry.value,
      hint: 'without "storage" the weight lies behind a DequantizeLinear',
    },
  );
}

/** An entry whose grid was changed by hand, next to the encoding of the former one. */
function refuseStale({ value, grid, granularity, encoding }: PlanEntry): void {
  if (!encoding) return;
  const [wanted, found] = [
    `${gridName(grid)} ${granularityName(granularity)}`,
    `${gridName(encoding.grid)} ${granularityName(encoding.granularity)}`,
  ];
  if (wanted === found) return;
  throw new AvocetError("quant/invalid-plan", `expected an encoding on ${wanted}, got one on ${found}`, {
    at: value,
    hint: "an encoding belongs to its grid: remove it and calibrate the plan again",
  });
}

function listed(entries: readonly PlanEntry[]): string {
  const names = entries.slice(0, 5).map((entry) => entry.value);
  return entries.length > 5 ? `${names.join(", ")} and ${entries.length - 5} more` : names.join(", ");
}
