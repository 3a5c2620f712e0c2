/**
 * A bias is stored in int32 in steps of s_x · s_w, and ONNX Runtime itself stores one so that was left in float. Where weights
 * are tiny next to it, it would saturate. Then the weight's scale grows until the bias holds, whoever decided it: at that point one
 * step of the product is 2⁻³¹ of the bias, so that what the weights lose is nothing next to it.
 */
import { type AddedVector, addedVector, initializerOf } from "../../facts/inner.ts";
import type { Model, Node } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { isIntGrid } from "../grids/grid.ts";
import { shortWeightScale } from "../grids/short-scale.ts";
import { entryAt } from "../plan/entry-at.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries } from "../plan/plan.ts";
import type { PlanContext } from "./constraint.ts";

/** A bias stays below this, a little less than 2³¹, so that float32 rounding cannot push it over. */
export const largestBias = 2 ** 31 - 2 ** 15;

/** A product of something quantized per tensor and a constant with an encoding. */
export interface IntegerProduct {
  readonly node: Node;
  readonly weight: PlanEntry;
  readonly encoding: Encoding;
  readonly input: Encoding;
}

/** The linear operators of a model that run on integers under a plan. `changed` overrules its entries. */
export function* integerProducts(
  model: Model,
  entries: ReadonlyMap<string, PlanEntry>,
  changed: ReadonlyMap<string, PlanEntry>,
): Iterable<IntegerProduct> {
  for (const node of model.graph.nodes) {
    const role = node.domain === "" ? rowOf(node)?.linear : undefined;
    if (!role) continue;
    // A product may hold its constant on either side.
    const index = initializerOf(node.input(role.weight)) ? role.weight : 0;
    const [value, other] = [node.input(index), node.input(index === 0 ? role.weight : 0)];
    const weight = value && initializerOf(value) ? (changed.get(value.name) ?? entries.get(value.name)) : undefined;
    const input = entryAt(other, entries)?.encoding;
    if (!weight?.encoding || !isIntGrid(weight.grid) || input?.scale.length !== 1) continue;
    yield { node, weight, encoding: weight.encoding, input };
  }
}

/** The plan with weight scales enlarged, frozen ones too, where a bias would saturate. */
export function holdBiases(plan: Plan, { model }: PlanContext): Plan {
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  for (const { node, weight, encoding, input } of integerProducts(model, entries, changed)) {
    const added = addedVector(node);
    if (!added) continue;
    const biases = biasesOfSlices(added, encoding);
    const scale = encoding.scale.map((s, slice) => {
      const least = holding(biases[slice]!, input.scale[0]!);
      return s >= least ? s : weight.shortScale ? shortWeightScale(least) : least;
    });
    if (scale.every((s, slice) => s === encoding.scale[slice])) continue;
    const reason = weight.frozen && !weight.reason.endsWith(why) ? { reason: `${weight.reason}${why}` } : {};
    changed.set(weight.value, { ...weight, ...reason, encoding: { ...encoding, scale } });
  }
  return changed.size > 0 ? withEntries(plan, changed) : plan;
}

const why = "; its scale was raised until the int32 bias fits";

/** The least scale of a weight under which the largest of these biases does not saturate. */
export function holding(biases: readonly number[], inputScale: number): number {
  return biases.reduce((most, bias) => Math.max(most, Math.abs(bias)), 0) / (largestBias * inputScale);
}

/** For every slice of the weight the biases that are added to its products. */
export function biasesOfSlices({ tensor, factor }: AddedVector, { granularity, scale }: Encoding): number[][] {
  const all = Array.from(tensor.numbers(), (bias) => bias * factor);
  const last = tensor.shape.at(-1) ?? 1;
  // One bias for all channels, or what no channel has to itself.
  if (granularity.kind === "tensor" || last === 1) return scale.map(() => all);
  const channelOf =
    granularity.kind === "channel"
      ? (slice: number) => slice
      : granularity.channelAxis < granularity.axis
        ? (slice: number) => Math.floor(slice / (scale.length / last))
        : (slice: number) => slice % last;
  const channels = granularity.kind === "channel" ? scale.length : last;
  if (last % channels !== 0) return scale.map(() => all);
  // A grouped ConvTranspose has fewer weight channels than biases: each group repeats them.
  const ofChannel: number[][] = Array.from({ length: channels }, () => []);
  all.forEach((bias, i) => {
    ofChannel[i % channels]!.push(bias);
  });
  return scale.map((_, slice) => ofChannel[channelOf(slice)]!);
}
