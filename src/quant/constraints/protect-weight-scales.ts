/**
 * Weight scales that are too small for integer arithmetic are enlarged, as AIMET does after every calibration: the int32
 * bias must not overflow, the factor that turns the accumulator into the output must not underflow, and neither must the
 * bias with the output's offset folded in. Channels without weights worth mentioning are the ones that need it.
 */
import { addedVector } from "../../facts/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { shortWeightScale } from "../grids/short-scale.ts";
import { entryAt } from "../plan/entry-at.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries } from "../plan/plan.ts";
import type { PlanContext } from "./constraint.ts";
import { biasesOfSlices, holding, integerProducts } from "./hold-biases.ts";

/** Requantization factors at or below 2^−24 are misread by Hexagon's kernels; half a power of two is the margin. */
const leastRequantization = 2 ** -23.5;

/**
 * The plan with the weight scales of Conv, ConvTranspose, Gemm and MatMul enlarged where a channel needs it. Layers without an
 * integer input, frozen entries and blocks stay as they are: these grow for the bias alone (hold-biases.ts).
 */
export function protectWeightScales(plan: Plan, { model }: PlanContext): Plan {
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  for (const { node, weight, encoding, input } of integerProducts(model, entries, changed)) {
    const output = entryAt(node.output, entries)?.encoding;
    if (weight.frozen || weight.granularity.kind === "block" || output?.scale.length !== 1) continue;
    const added = addedVector(node);
    const biases = added ? biasesOfSlices(added, encoding) : encoding.scale.map(() => [0]);
    const safe = encoding.scale.map((s, slice) => safeScale(s, biases[slice]!, input, output));
    const scale = safe.map((s, i) => (weight.shortScale && s !== encoding.scale[i] ? shortWeightScale(s) : s));
    if (scale.some((s, i) => s !== encoding.scale[i])) {
      changed.set(weight.value, { ...weight, encoding: { ...encoding, scale } });
    }
  }
  return withEntries(plan, changed);
}

/** The scale of one slice, enlarged as far as it needs. */
function safeScale(scale: number, biases: readonly number[], input: Encoding, output: Encoding): number {
  const [x, y] = [input.scale[0]!, output.scale[0]!];
  const safe = Math.max(scale, holding(biases, x), (leastRequantization * y) / x);
  const step = x * safe;
  const zero = Math.round((output.offset[0]! * y) / step);
  const folded = biases.map((b) => (Math.round(b / step) + zero) * step);
  return Math.max(safe, holding(folded, x));
}
