/** A row of lowering: how one entry of a plan is written. A row belongs to a storage form, or serves every plan. */
import type { Node, Value } from "../../ir/inner.ts";
import type { StorageName } from "../grids/storage-names.ts";
import type { PlanEntry } from "../plan/plan.ts";
import type { Draft } from "./draft.ts";

export interface LoweringRow {
  readonly name: string;
  /** Whether the row writes this entry; of several the first one does. `value` is that of the file that is being written. */
  matches(entry: PlanEntry, value: Value): boolean;
  /** Writes the quantizer of the value into the draft, which records what became of it. */
  emit(entry: PlanEntry, value: Value, draft: Draft): void;
}

/** A row that a target asks for by name. */
export interface StorageForm extends LoweringRow {
  readonly name: StorageName;
  /** For people. */
  readonly title: string;
  /** What the nodes are that it takes the place of: products of a weight, a Gather of its rows, or a recurrent operator. */
  readonly replaces: "product" | "lookup" | "recurrence";
  /** Why it cannot hold this weight; undefined: it can. `entries`: those of the whole plan. */
  refusal(entry: PlanEntry, value: Value, entries: ReadonlyMap<string, PlanEntry>): string | undefined;
  /** The constant with the weight that a node of a file reads, where this form writes such nodes; undefined: it does not. */
  weightOf(node: Node): Value | undefined;
  /** Why no integer kernel runs such a node. */
  whyFloat(node: Node): string;
}
