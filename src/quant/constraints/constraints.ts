/** The constraints on scales, in the order in which they are met: a later one may undo nothing of an earlier one. */
import type { Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";
import type { Constraint, PlanContext, Stage } from "./constraint.ts";
import { fitClipBounds, withinClips } from "./fit-clip.ts";
import { withoutHalfwaySums } from "./halfway-sums.ts";
import { holdBiases } from "./hold-biases.ts";
import { leastPairSafeScales, limitPairs, withPairSafeScales } from "./pair-saturation.ts";
import { protectWeightScales } from "./protect-weight-scales.ts";

export const constraints: readonly Constraint[] = [
  {
    name: "two neighbouring products fit 16 bits",
    stages: ["weights"],
    repair: withPairSafeScales,
    weights: {
      concerns: (entry) => entry.pairSafe === true,
      leastScales: (entry, weight, spanning) => leastPairSafeScales(weight, spanning, entry.shortScale !== undefined),
      limited: limitPairs,
    },
  },
  { name: "short scales end within the Clip in front", stages: ["ranges"], repair: withinClips },
  { name: "no sum ends half way between two steps", stages: ["ranges"], repair: withoutHalfwaySums },
  { name: "requantization does not underflow", stages: ["ranges", "solved"], repair: protectWeightScales },
  { name: "no scale ends just beyond the Clip in front", stages: ["file"], repair: fitClipBounds },
  { name: "biases fit 32 bits", stages: ["ranges", "solved", "file"], repair: holdBiases },
];

/** The plan with the constraints of a stage met, one after the other. */
export function constrained(stage: Stage, plan: Plan, context: PlanContext): Plan {
  const due = constraints.filter(({ stages }) => stages.includes(stage));
  return due.reduce((current, { repair }) => repair(current, context), plan);
}

/** The least scale of every slice of a weight, for methods that search scales; null: any scale will do. */
export function leastScales(entry: PlanEntry, weight: Value, spanning: Encoding): readonly number[] | null {
  const floors = concerning(entry).map((one) => one.leastScales(entry, weight, spanning));
  return floors.length > 0 ? spanning.scale.map((_, i) => Math.max(...floors.map((floor) => floor[i]!))) : null;
}

/**
 * A weight that a method rounded, with single integers moved where a constraint asks for it. `rounded` are its values on the grid of
 * the encoding, which are asked for only then. Returns undefined where no constraint concerns the integers of the entry.
 */
export function limited(
  entry: PlanEntry,
  weight: Value,
  encoding: Encoding,
  rounded: () => Tensor,
): Tensor | undefined {
  return concerning(entry).reduce<Tensor | undefined>(
    (current, one) => one.limited(weight, current ?? rounded(), encoding),
    undefined,
  );
}

function concerning(entry: PlanEntry) {
  return constraints.flatMap(({ weights }) => (weights?.concerns(entry) ? [weights] : []));
}
