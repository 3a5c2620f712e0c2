/**
 * Computed tensors in the place of a weight: the second factor of attention's products. AIMET 2.42 gives them the symmetry of
 * weights, and the precision that Hexagon's product of two activations takes: before V73 eight bits whatever the others have.
 * Integer kernels of a runtime take them asymmetric, so a target made of kernels does not ask for it.
 */
import { initializerOf, weightOperand } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Grid } from "../grids/codec.ts";
import { codecOf } from "../grids/grid.ts";
import { isBeforeV73 } from "../targets/target.ts";
import { type Decision, originOf, type Placement } from "./place-by-rule.ts";

/** What such a value takes instead of what other activations have. */
export interface ComputedWeight {
  readonly symmetric: boolean;
  readonly grid: Grid;
}

/** By the value that holds the encoding, never by one that was moved from it or shares it. */
export function computedWeights(
  placement: Placement,
  decided: ReadonlyMap<Value, Decision>,
  shared: ReadonlyMap<Value, Value>,
): Map<Value, ComputedWeight> {
  const { facts, target, precisions } = placement;
  const found = new Map<Value, ComputedWeight>();
  if (target.kernels) return found;
  const note = (value: Value, one: ComputedWeight) => {
    const before = found.get(value);
    // A later reader may only narrow what an earlier one asked for.
    const grid = before && codecOf(before.grid).bits < codecOf(one.grid).bits ? before.grid : one.grid;
    found.set(value, { grid, symmetric: one.symmetric || before?.symmetric === true });
    const head = shared.get(value);
    // Where the output takes its input's encoding, the two are merged; where inputs take the output's, that decides alone.
    if (head && value.producer && target.outputTakesInput.has(value.producer.op)) note(head, found.get(value)!);
  };
  for (const node of facts.model.graph.nodes) {
    const weight = computedWeightOf(node);
    const origin = weight && originOf(weight, decided);
    if (!origin) continue;
    const activations = precisions.activations(shared.get(origin) ?? origin).what;
    const rule = { ...target.param, ...target.params.weight, ...target.operators.get(node.op)?.params.weight };
    note(origin, { symmetric: rule.symmetric, grid: activations });
    if (node.op !== "MatMul" || target.hardware === null || activations.kind !== "int") continue;
    const first = node.input(0);
    if (!first || !originOf(first, decided)) continue;
    if (isBeforeV73(target)) note(origin, { symmetric: true, grid: { ...activations, bits: 8 } });
    else if (activations.bits === 16) note(origin, { symmetric: true, grid: activations });
  }
  return found;
}

function computedWeightOf(node: Node): Value | undefined {
  const weight = node.domain === "" ? weightOperand(node) : undefined;
  return weight && !initializerOf(weight) ? weight : undefined;
}
