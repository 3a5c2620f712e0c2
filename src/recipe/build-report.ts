/** Gathers what the page of one run needs: model facts, values in order, weights by channel, kernels, figures. */
import { macsOf, parametersOf, type Similarity, type Verification } from "../analysis/index.ts";
import type { Value } from "../ir/index.ts";
import {
  encodingMax,
  encodingMin,
  entriesByValue,
  forEachRun,
  gridName,
  isIntGrid,
  type KernelFinding,
  type PlanEntry,
  type ValueStatistics,
} from "../quant/index.ts";
import type { RunReport, ValueReport, WeightReport } from "../report/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Quantized } from "./quantize.ts";

export interface ReportParts {
  readonly name: string;
  readonly avocet: string;
  readonly quantized: Quantized;
  readonly settings: RunReport["settings"];
  readonly score: RunReport["score"];
  readonly verification: Verification;
  readonly kernels: readonly KernelFinding[];
  readonly similarity: readonly Similarity[];
  readonly seconds: RunReport["seconds"];
}

/** Plain data; nothing is run here. */
export function buildReport(parts: ReportParts): RunReport {
  const { quantized, verification, similarity } = parts;
  const { float: model } = quantized;
  const outputs = new Set(model.graph.outputs.map((value) => value.name));
  return {
    version: 1,
    avocet: parts.avocet,
    model: {
      name: parts.name,
      opset: model.opset,
      nodes: model.graph.nodeCount,
      parameters: parametersOf(model),
      macs: macsOf(model, quantized.shapes),
    },
    settings: parts.settings,
    runtime: verification.runtime,
    score: parts.score,
    agreement: verification.agreement,
    agreementSamples: verification.samples,
    latencyMs: verification.latencyMs,
    bytes: verification.bytes,
    outputs: similarity.filter((s) => outputs.has(s.name)),
    values: valueReports(quantized, similarity),
    weights: weightReports(quantized),
    left: quantized.plan.left,
    kernels: {
      integer: parts.kernels.filter((k) => k.integer).length,
      float: parts.kernels.filter((k) => !k.integer).map(({ node, reason }) => ({ node, reason: reason ?? "" })),
    },
    differences: verification.differences,
    steps: quantized.steps,
    seconds: parts.seconds,
  };
}

/** The activations worth comparing, in the order of execution: those the plan quantizes. */
export function comparedValues(quantized: Quantized): string[] {
  const entries = entriesByValue(quantized.plan);
  const names: string[] = [];
  for (const value of quantized.float.graph.values()) {
    const entry = entries.get(value.name);
    if (entry?.kind === "activation" || value.isGraphOutput) names.push(value.name);
  }
  return names;
}

function valueReports(quantized: Quantized, similarity: readonly Similarity[]): ValueReport[] {
  const entries = entriesByValue(quantized.plan);
  const statistics = new Map(quantized.statistics.map((s) => [s.value, s]));
  const values = quantized.float.graph.valuesByName();
  return similarity.map(({ name, sqnr, cosine }) => {
    const entry = entries.get(name);
    const op = values.get(name)?.producer?.opName ?? "input";
    const found = entry ? quantizerOf(entry, statistics.get(entry.tiedTo ?? name)) : undefined;
    return { name, op, sqnr, cosine, ...(found ? { quantizer: found } : {}) };
  });
}

function quantizerOf(entry: PlanEntry, seen: ValueStatistics | undefined): ValueReport["quantizer"] {
  const { encoding } = entry;
  if (!encoding) return undefined;
  const [min, max] = [encodingMin(encoding), encodingMax(encoding)];
  const scheme = encoding.symmetric ? "symmetric" : "asymmetric";
  if (!seen) return { grid: gridName(encoding.grid), scheme, min, max, observed: { min, max }, clipped: 0 };
  const base = { grid: gridName(encoding.grid), scheme, min, max, observed: { min: seen.min, max: seen.max } };
  const { histogram } = seen;
  if (!histogram) return { ...base, clipped: 0 };
  const { left, width, counts } = histogram;
  let inside = 0;
  let total = 0;
  counts.forEach((n, i) => {
    const centre = left + (i + 0.5) * width;
    total += n;
    if (centre >= min - width && centre <= max + width) inside += n;
  });
  return {
    ...base,
    clipped: total === 0 ? 0 : 1 - inside / total,
    histogram: { low: left, high: left + width * counts.length, counts },
  };
}

function weightReports(quantized: Quantized): WeightReport[] {
  const values = quantized.float.graph.valuesByName();
  return quantized.plan.entries.flatMap((entry) => {
    const value = values.get(entry.value);
    if (entry.kind !== "weight" || !entry.encoding || !value?.initializer || !isIntGrid(entry.grid)) return [];
    return [weightReport(entry, value)];
  });
}

function weightReport(entry: PlanEntry, value: Value): WeightReport {
  const encoding = entry.encoding!;
  const { granularity } = encoding;
  const axis =
    granularity.kind === "channel" ? granularity.axis : granularity.kind === "block" ? granularity.channelAxis : 0;
  const { min, max } = channelRanges(value.initializer!, axis);
  return {
    name: entry.value,
    layer: value.consumers()[0]?.toString() ?? "",
    grid: gridName(entry.grid),
    granularity: granularity.kind,
    channels: { min, max },
    limit: encoding.scale.map((_, i) => encodingMax(encoding, i)),
  };
}

/** Lowest and highest weight of every channel. */
function channelRanges(weight: Tensor, axis: number): { min: number[]; max: number[] } {
  const channels = weight.shape[axis] ?? 1;
  const min: number[] = new Array(channels).fill(Number.POSITIVE_INFINITY);
  const max: number[] = new Array(channels).fill(Number.NEGATIVE_INFINITY);
  const data = weight.floats();
  forEachRun(weight.shape, { kind: "channel", axis }, (channel, start, end) => {
    for (let i = start; i < end; i++) {
      min[channel] = Math.min(min[channel]!, data[i]!);
      max[channel] = Math.max(max[channel]!, data[i]!);
    }
  });
  return { min, max };
}
