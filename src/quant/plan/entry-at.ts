/** What a plan says of a value of its model, itself or through what only moves data. */
import { keepsGrid } from "../../facts/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { isIntGrid } from "../grids/grid.ts";
import type { PlanEntry } from "./plan.ts";

/** The entry of a value, or of what it was moved from; undefined in float. */
export function entryAt(value: Value | null, entries: ReadonlyMap<string, PlanEntry>): PlanEntry | undefined {
  if (!value) return undefined;
  const entry = entries.get(value.name);
  if (entry) return isIntGrid(entry.grid) ? entry : undefined;
  const source = value.producer;
  const moved = source && keepsGrid(source) ? entryAt(source.input(0), entries) : undefined;
  // Rows of a table that has more scales than one are floats: their scale depends on which they are.
  return source?.op === "Gather" && moved?.granularity.kind !== "tensor" ? undefined : moved;
}

/** Whether the entry only repeats, after an operator that moves data, what another entry says. */
export function isMoved(model: Model, entry: PlanEntry): boolean {
  if (entry.sharesEncodingOf === undefined) return false;
  const producer = model.graph.valuesByName().get(entry.value)?.producer;
  return producer ? keepsGrid(producer) : false;
}
