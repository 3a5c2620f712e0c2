/**
 * Lowering: model and plan → the model that ships, in standard operators, and the record of what became of what. Each entry is
 * written by the first row that matches it (rows.ts): an activation gets QuantizeLinear and DequantizeLinear behind it, a weight
 * becomes integers behind a DequantizeLinear, a bias int32 on the grid of the accumulator, a float grid a pair of Casts. A grid that
 * is narrower than the integers it is kept in has a Clip of those integers. A target may ask for a storage form (storage.ts), which
 * writes an operator of its own, and a plan with half precision turns what is float then into float16 (half.ts). This very file is what was simulated; nothing else stands for it.
 */
import { expectArguments } from "../../base/inner.ts";
import { check, cloneModel, type Graph, type Model } from "../../ir/inner.ts";
import { irVersionOf, upgradeOpset } from "../../passes/inner.ts";
import { constrained } from "../constraints/constraints.ts";
import { codecOf, isScaled } from "../grids/grid.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import { Draft } from "./draft.ts";
import { toHalf } from "./half.ts";
import { holdBlocks, holdFloatProducts, holdPools } from "./hold-float.ts";
import type { Lowered } from "./lowered.ts";
import { refuseUnready } from "./ready.ts";
import { LoweringRecord } from "./record.ts";
import { roundFloatBiases } from "./round-float-biases.ts";
import { rows } from "./rows.ts";

/** The version of the standard operator set that the plan's quantizers need. */
export function requiredOpset(plan: Plan): number {
  return Math.max(plan.half ? 19 : 13, ...plan.entries.map(opsetOf));
}

function opsetOf({ kind, grid, granularity }: PlanEntry): number {
  const ofGrid = codecOf(grid).opset(kind);
  return isScaled(grid) && granularity.kind === "block" ? Math.max(ofGrid, 21) : ofGrid;
}

/**
 * A new model with the plan's quantizers in standard operators, and what became of each value and layer; the model that is given
 * stays as it is. Graph inputs and outputs keep their names. Throws `quant/not-calibrated` listing entries without an encoding,
 * `quant/no-such-value` for entries that the model lacks, `quant/invalid-plan` for an entry whose encoding is of another grid or
 * granularity, `quant/unsupported-grid` for a grid that no operator quantizes to, and what raising the opset throws, where the
 * plan's quantizers need a later one.
 */
export function lower(model: Model, plan: Plan): Lowered {
  expectArguments("lower(model, plan)", { model: [model, "model"], plan: [plan, "plan"] });
  refuseUnready(model, plan);
  const copy = cloneModel(model);
  upgradeOpset(copy, Math.max(copy.opset, requiredOpset(plan)));
  nameNodes(copy.graph);
  const record = new LoweringRecord(copy);
  emit(copy, constrained("file", plan, { model }), record);
  roundFloatBiases(copy.graph);
  for (const hold of [holdFloatProducts, holdBlocks, holdPools]) hold(copy.graph);
  const half = plan.half && toHalf(copy, plan.half, record);
  nameNodes(copy.graph);
  copy.irVersion = Math.max(copy.irVersion, irVersionOf(copy.opset));
  check(copy, "after lowering");
  return { ...record.finished(model, copy), ...(half ? { half } : {}) };
}

function emit(copy: Model, plan: Plan, record: LoweringRecord): void {
  const draft = new Draft(copy, plan, record);
  for (const entry of plan.entries) {
    const value = draft.value(entry.value);
    if (value) rows.find((row) => row.matches(entry, value))?.emit(entry, value, draft);
  }
}

/** Runtimes keep the names of nodes through their optimisation, so a name says which kernel a layer became. */
function nameNodes(graph: Graph): void {
  const taken = new Set([...graph.nodes].map((node) => node.name));
  for (const node of graph.nodes) {
    if (node.name !== "") continue;
    let name = `${node.op}_${node.outputs.find((value) => value.name !== "")?.name ?? "nothing"}`;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    node.name = name;
  }
}
