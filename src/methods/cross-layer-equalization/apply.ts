/**
 * Cross-layer equalization on a graph: scales every channel that may be scaled so that its weights have equal ranges where
 * they are computed and where they are read. The function of the model stays, up to rounding; only a Clip whose bound the
 * data never reaches may lose it, which the notes say.
 */

import type { z } from "zod";
import { throwIfAborted } from "../../base/inner.ts";
import { shapeOf } from "../../facts/inner.ts";
import { check, cloneModel, type Model } from "../../ir/inner.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { shapesFor } from "../shapes.ts";
import { expectedChannels } from "./expected.ts";
import { noisyLayers, strengthsOf } from "./layer-weights.ts";
import { equalizingScales, type SweepOptions } from "./math.ts";
import { type DescentOptions, noiseOf, quietestScales } from "./noise-scales.ts";
import { type Observed, observeChannels } from "./observe.ts";
import type { equalizeOptions } from "./options.ts";
import { rescaleClip } from "./rescale-clips.ts";
import { divideConstant, scaleLayer } from "./scale-layers.ts";
import { keepUnderBounds, shareBounds } from "./share-bounds.ts";
import { type Trace, traceGroups } from "./trace-groups.ts";

export interface EqualizeOptions extends z.input<typeof equalizeOptions>, SweepOptions, DescentOptions {}

/**
 * Equalizes a normalised model (batch norms folded). The given model is not changed. Pairs, depthwise triples and chains;
 * through Relu, LeakyRelu, PRelu, Clip, pooling, padding with zeros and data movement; residual additions and
 * concatenations share scales over all their layers.
 */
export async function equalizeLayers(
  model: Model,
  context: PreparationContext,
  options: EqualizeOptions = {},
): Promise<Prepared> {
  const start = performance.now();
  const copy = cloneModel(model);
  const shapes = await shapesFor(copy, context);
  throwIfAborted(context);
  const trace = traceGroups(copy.graph, (value) => shapeOf(value, shapes));
  const { data, inputs } = context;
  const seen = data
    ? await observeChannels(copy, trace, shapes, { ...context, data })
    : inputs && expectedChannels(copy.graph, trace, shapes, inputs);
  throwIfAborted(context);
  const { scale, how } = solve(trace, seen, context, options);
  const scaleOf = (id: number) => scale[trace.groups.root(id)]!;
  const notes = [...trace.skipped];
  const edits = trace.layers.reduce((count, layer) => count + scaleLayer(layer, scaleOf), 0);
  for (const constant of trace.constants) divideConstant(constant, scaleOf);
  for (const clip of trace.clips) {
    if (clip.layout.ids.every((id) => scaleOf(id) === 1)) continue;
    const maxima = seen?.channels.get(clip.node.input(0)!.name)?.max;
    notes.push(`${clip.node}: ${rescaleClip(clip, scaleOf, shapes, maxima)}`);
  }
  if (edits > 0) check(copy, "after equalizing layers");
  notes.unshift(summary(trace, scale, edits, how));
  return {
    model: copy,
    report: { step: "cross-layer-equalization", edits, seconds: (performance.now() - start) / 1000, notes },
  };
}

function solve(trace: Trace, seen: Observed | undefined, context: PreparationContext, options: EqualizeOptions) {
  if (!seen || options.objective === "ranges") {
    const { scale, sweeps } = equalizingScales(strengthsOf(trace), trace.groups.count, options);
    return { scale, how: `ranges made equal in ${sweeps} sweeps` };
  }
  const { groups } = trace;
  let layers = noisyLayers(trace, seen, context);
  const before = noiseOf(layers, new Float64Array(groups.count).fill(1));
  let scale = quietestScales(layers, groups.count, options);
  if (shareBounds(trace, seen, scale) > 0) {
    layers = noisyLayers(trace, seen, context);
    scale = quietestScales(layers, groups.count, options);
  }
  keepUnderBounds(trace, seen, scale);
  const change = 10 * Math.log10(noiseOf(layers, scale) / before);
  return { scale, how: `predicted noise of rounding ${change > 0 ? "+" : ""}${change.toFixed(1)} dB` };
}

function summary({ groups, layers }: Trace, scale: Float64Array, edits: number, how: string): string {
  if (edits === 0) return "no channel may be scaled: what lies between the layers fixes it";
  const roots = new Set(layers.flatMap(({ outputs }) => Array.from(outputs, (id) => groups.root(id))));
  const moved = [...roots].map((id) => scale[id]!).filter((s) => s !== 1);
  const [low, high] = [moved.reduce((a, b) => Math.min(a, b), Infinity), moved.reduce((a, b) => Math.max(a, b), 0)];
  return `${edits} of ${layers.length} layers, ${moved.length} scales from ${short(low)} to ${short(high)}: ${how}`;
}

const short = (x: number): string => `${Number(x.toPrecision(3))}`;
