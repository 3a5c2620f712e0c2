/** Gathers what the page of one run needs: model facts, values in order, weights by channel, kernels, figures. */
import { macsOf, parametersOf, type Similarity, type Verification } from "../analysis/index.ts";
import type { Value } from "../ir/index.ts";
import { encodingMax, forEachRun, gridName, isIntGrid, type KernelFinding, type PlanEntry } from "../quant/index.ts";
import type { RunReport, WeightReport } from "../report/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Quantized } from "./quantized.ts";
import { valueReports } from "./report-values.ts";

export interface ReportParts {
  readonly name: string;
  readonly avocet: string;
  readonly quantized: Quantized;
  readonly settings: RunReport["settings"];
  readonly score: RunReport["score"];
  readonly verification: Verification;
  readonly kernels: readonly KernelFinding[];
  readonly similarity: readonly Similarity[];
  /** Value name → share of its numbers that are clipped, for the values whose range does not hold all. */
  readonly clipped: ReadonlyMap<string, number>;
}

/** Plain data; nothing is run here. How long everything took is known only when it has been written. */
export function buildReport(parts: ReportParts): Omit<RunReport, "seconds"> {
  const { quantized, verification, similarity } = parts;
  const { prepared: model } = quantized;
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
    ties: verification.ties,
    latencyMs: verification.latencyMs,
    bytes: verification.bytes,
    outputs: similarity.filter((s) => outputs.has(s.name)),
    values: valueReports(quantized, similarity, parts.clipped),
    weights: weightReports(quantized),
    left: quantized.plan.left,
    kernels: {
      integer: parts.kernels.filter((k) => k.integer).length,
      float: parts.kernels.filter((k) => !k.integer).map(({ node, reason }) => ({ node, reason: reason ?? "" })),
    },
    differences: verification.differences,
    steps: quantized.steps,
  };
}

function weightReports(quantized: Quantized): WeightReport[] {
  const values = quantized.prepared.graph.valuesByName();
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
