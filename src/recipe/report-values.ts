/** The values of a report: how much signal each keeps, where it is lost, and what its range cuts off. */
import type { Similarity, ValueRange } from "../analysis/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import {
  encodingMax,
  encodingMin,
  entriesByValue,
  gridName,
  type PlanEntry,
  type ValueStatistics,
} from "../quant/inner.ts";
import type { ValueReport } from "../report/inner.ts";
import { isFloat } from "../tensor/inner.ts";
import type { Quantized } from "./quantized.ts";

/** The activations worth comparing, in the order of execution: those the plan quantizes, and the outputs that are float. */
export function comparedValues(quantized: Quantized): string[] {
  const entries = entriesByValue(quantized.plan);
  const names: string[] = [];
  for (const value of quantized.prepared.graph.values()) {
    const entry = entries.get(value.name);
    const type = quantized.shapes.get(value.name);
    if (value.initializer || !type || !isFloat(type.dtype)) continue;
    if (entry?.kind === "activation" || value.isGraphOutput) names.push(value.name);
  }
  return names;
}

/**
 * Half a step, since what is nearer is only rounded. Ties lie there, and rounding to even may send them one step beyond the grid: the
 * hundredth keeps them in, as float32 has them.
 */
const reach = 0.51;

/**
 * The ranges outside which numbers of each quantized activation are clipped: half a step wider than the grid. Values whose observed
 * numbers all fit are left out.
 */
export function clippingRanges(quantized: Quantized): ValueRange[] {
  const statistics = new Map(quantized.statistics.map((s) => [s.value, s]));
  return quantized.plan.entries.flatMap((entry) => {
    if (entry.kind !== "activation" || !entry.encoding) return [];
    const half = reach * entry.encoding.scale[0]!;
    const [min, max] = [encodingMin(entry.encoding) - half, encodingMax(entry.encoding) + half];
    const seen = statistics.get(entry.sharesEncodingOf ?? entry.value);
    return seen && seen.min >= min && seen.max <= max ? [] : [{ value: entry.value, min, max }];
  });
}

/** One report a compared value, in their order. */
export function valueReports(
  quantized: Quantized,
  similarity: readonly Similarity[],
  clipped: ReadonlyMap<string, number>,
): ValueReport[] {
  const entries = entriesByValue(quantized.plan);
  const statistics = new Map(quantized.statistics.map((s) => [s.value, s]));
  const values = quantized.prepared.graph.valuesByName();
  const sqnrs = new Map(similarity.map(({ name, sqnr }) => [name, sqnr]));
  return similarity.map(({ name, sqnr, cosine }) => {
    const entry = entries.get(name);
    const producer = values.get(name)?.producer ?? null;
    const layer = layerOf(producer);
    const found = entry
      ? quantizerOf(entry, statistics.get(entry.sharesEncodingOf ?? name), clipped.get(name) ?? 0)
      : undefined;
    return {
      name,
      op: producer?.opName ?? "input",
      ...(layer ? { layer } : {}),
      sqnr,
      cosine,
      fall: producer ? fallOf(producer, sqnr, sqnrs) : null,
      ...(found ? { quantizer: found } : {}),
    };
  });
}

/** The linear layer behind a node: itself, or what an activation or an addition of a bias follows. */
function layerOf(producer: Node | null): string | undefined {
  for (let node = producer; node; node = node.input(0)?.producer ?? null) {
    if (rowOf(node)?.linear) return node.name || node.output.name;
    if (node.inputs.filter((value) => value && !value.initializer).length !== 1 || node.inputs[0]?.initializer)
      return undefined;
  }
  return undefined;
}

/** The noisiest of the compared values upstream, minus this one. Exact values upstream have no finite SQNR to fall from. */
function fallOf(producer: Node, sqnr: number, sqnrs: ReadonlyMap<string, number>): number | null {
  const seen = new Set<Value>();
  const waiting = [...producer.inputs];
  let noisiest = Number.POSITIVE_INFINITY;
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (!value || value.initializer || seen.has(value)) continue;
    seen.add(value);
    const own = sqnrs.get(value.name);
    if (own !== undefined) noisiest = Math.min(noisiest, own);
    else waiting.push(...(value.producer?.inputs ?? []));
  }
  const fall = noisiest - sqnr;
  return Number.isFinite(fall) ? fall : null;
}

function quantizerOf(entry: PlanEntry, seen: ValueStatistics | undefined, clipped: number): ValueReport["quantizer"] {
  const { encoding } = entry;
  if (!encoding) return undefined;
  const [min, max] = [encodingMin(encoding), encodingMax(encoding)];
  const base = {
    grid: gridName(encoding.grid),
    scheme: encoding.symmetric ? "symmetric" : "asymmetric",
    min,
    max,
    observed: seen ? { min: seen.min, max: seen.max } : { min, max },
    clipped,
  };
  // What only moves data has the numbers, the range and so the image of what it moves.
  if (!seen?.histogram || entry.sharesEncodingOf !== undefined) return base;
  const { left, width, counts } = seen.histogram;
  return { ...base, histogram: { low: left, high: left + width * counts.length, counts } };
}
