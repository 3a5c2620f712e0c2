/**
 * Scales under which a Clip stays one operator with one bound: channels that reach the bound on the data share a scale, the
 * others are kept below the bound. It costs no operator in the shipped file, where a bound per channel costs a float one.
 */
import { clipBounds } from "../../facts/inner.ts";
import type { Observed } from "./observe.ts";
import type { Trace, TracedClip } from "./trace-groups.ts";

/** Channels that come this near to the bound count as reaching it: other data may go a little further. */
const near = 0.9;

/** How far scales may lie apart and still become one: it costs less than a bit of precision, and saves an operator. */
const spread = 1.5;

/** Joins the channels that reach a clip's bound where their best scales are alike; returns how many clips that concerns. */
export function shareBounds({ clips, groups }: Trace, seen: Observed, scale: Float64Array): number {
  let shared = 0;
  for (const clip of clips) {
    const reaching = clip.layout.ids.filter((_, i) => isNear(clip, i, seen));
    const scales = Array.from(reaching, (id) => scale[groups.root(id)]!);
    if (scales.length < 2 || Math.max(...scales) > spread * Math.min(...scales)) continue;
    for (const id of reaching) groups.join(id, reaching[0]!);
    shared++;
  }
  return shared;
}

/** Raises scales of channels that would pass the bound that the others share. */
export function keepUnderBounds({ clips, groups }: Trace, seen: Observed, scale: Float64Array): void {
  for (const clip of clips) {
    const { ids } = clip.layout;
    const first = ids.findIndex((_, i) => isNear(clip, i, seen));
    if (first < 0) continue;
    const shared = groups.root(ids[first]!);
    if (ids.some((id, i) => isNear(clip, i, seen) && groups.root(id) !== shared)) continue;
    const { max } = clipBounds(clip.node)!;
    const maxima = seen.channels.get(clip.node.input(0)!.name)?.max;
    // Without data every channel counts as reaching the bound, and shares its scale already.
    if (!maxima) continue;
    ids.forEach((id, i) => {
      const root = groups.root(id);
      if (root === shared || root === 0 || isNear(clip, i, seen)) return;
      scale[root] = Math.max(scale[root]!, (scale[shared]! * Math.max(0, maxima[i]!)) / near / max);
    });
  }
}

function isNear({ node, layout }: TracedClip, i: number, seen: Observed): boolean {
  const { min, max } = clipBounds(node)!;
  const maxima = seen.channels.get(node.input(0)!.name)?.max;
  if (min !== 0 || maxima?.length !== layout.ids.length) return true;
  return maxima[i]! >= near * max;
}
