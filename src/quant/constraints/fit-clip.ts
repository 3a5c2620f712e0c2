/**
 * ONNX Runtime leaves a Clip out when the grid behind it lies within its bounds. Where the grid ends less than half a step beyond,
 * as float32 rounding of a scale can bring about, version 1.30 gets its own transformations in each other's way and refuses the
 * model ("two nodes with same node name"). Such a scale is shortened to the bound, which no value exceeds.
 */
import { clipBounds } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { isIntGrid, steps } from "../grids/grid.ts";
import { shortScaleBelow } from "../grids/short-scale.ts";
import { entriesByValue, type Plan, type PlanEntry, withEntries, withTies } from "../plan/plan.ts";
import type { PlanContext } from "./constraint.ts";

/** The plan with the scales behind Clip and Relu shortened by at most half a step; tied entries follow. */
export function fitClipBounds(plan: Plan, { model }: PlanContext): Plan {
  const values = model.graph.valuesByName();
  const fitted = new Map<string, Encoding>();
  for (const { value, kind, encoding, sharesEncodingOf } of plan.entries) {
    const node = values.get(value)?.producer;
    if (kind !== "activation" || sharesEncodingOf !== undefined || !encoding || node?.op !== "Clip") continue;
    const within = inside(encoding, node);
    if (within !== encoding) fitted.set(value, within);
  }
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    const head = entry.sharesEncodingOf ?? entry.value;
    const encoding = fitted.get(head);
    const before = entries.get(head)?.encoding;
    if (encoding && entry.encoding && entry.encoding.scale[0] === before?.scale[0])
      changed.set(entry.value, { ...entry, encoding });
  }
  return changed.size > 0 ? withEntries(plan, changed) : plan;
}

/** The plan with short scales of activations that end within the Clip in front of them; tied entries follow. */
export function withinClips(plan: Plan, { model }: PlanContext): Plan {
  const values = model.graph.valuesByName();
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    if (entry.kind !== "activation" || entry.sharesEncodingOf !== undefined || !entry.encoding || entry.frozen)
      continue;
    const producer = values.get(entry.value)?.producer ?? null;
    const encoding = withinClip(entry.encoding, producer, entry.shortScale !== undefined);
    if (encoding !== entry.encoding) changed.set(entry.value, { ...entry, encoding });
  }
  return changed.size > 0 ? withTies(withEntries(plan, changed)) : plan;
}

/**
 * A short scale (short-scale.ts) that was rounded up past the bounds of the Clip in front of it, rounded down instead: what
 * that clips is less than what the Clip would cost in float.
 */
export function withinClip(encoding: Encoding, node: Node | null, short: boolean): Encoding {
  const bounds = node?.op === "Clip" ? clipBounds(node) : undefined;
  if (!bounds || !short || !isIntGrid(encoding.grid) || encoding.scale.length !== 1) return encoding;
  const [scale, offset] = [encoding.scale[0]!, encoding.offset[0]!];
  const up = steps(encoding.grid) + offset;
  const most = Math.min(up > 0 ? bounds.max / up : scale, offset < 0 ? bounds.min / offset : scale);
  return scale > most && most > 0 ? { ...encoding, scale: [shortScaleBelow(most)] } : encoding;
}

function inside(encoding: Encoding, node: Node): Encoding {
  const bounds = clipBounds(node);
  const [scale, offset] = [Math.fround(encoding.scale[0]!), encoding.offset[0]!];
  if (!bounds || !isIntGrid(encoding.grid) || encoding.scale.length !== 1) return encoding;
  const up = steps(encoding.grid) + offset;
  let found = scale;
  // ONNX Runtime multiplies in float32, so that is what must not exceed the bound.
  if (scale * up - bounds.max <= scale / 2)
    while (up > 0 && Math.fround(found * up) > bounds.max) found = shorter(found, bounds.max / up);
  if (bounds.min - scale * offset <= scale / 2)
    while (offset < 0 && Math.fround(found * offset) < bounds.min) found = shorter(found, bounds.min / offset);
  return found === scale ? encoding : { ...encoding, scale: [found] };
}

/** The wanted scale in float32, or where that changes nothing the next smaller float32. */
function shorter(scale: number, wanted: number): number {
  const rounded = Math.fround(wanted);
  if (rounded < scale) return rounded;
  const bits = new Uint32Array(Float32Array.of(scale).buffer);
  bits[0]!--;
  return new Float32Array(bits.buffer)[0]!;
}
