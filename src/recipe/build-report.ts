/** Gathers what the page of one run needs: model facts, values in order, weights by channel, kernels, figures. */

import { attemptNow, macsOf, parametersOf, weightChanges } from "../analysis/inner.ts";
import { isRecurrent, recurrentInputs } from "../facts/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { randomNodes } from "../passes/inner.ts";
import {
  type Encoding,
  encodingMax,
  entriesByValue,
  forEachRun,
  forEachStretch,
  gridName,
  type Plan,
  type PlanEntry,
  roundedInputs,
} from "../quant/inner.ts";
import { type RunReport, recurrentWarnings, roundingWarnings, type WeightReport, warningsOf } from "../report/inner.ts";
import { sizeOf, type Tensor } from "../tensor/inner.ts";
import type { Figures } from "./judge-run.ts";
import type { Quantized } from "./quantized.ts";
import { layerReports } from "./report-layers.ts";
import { valueReports } from "./report-values.ts";

export interface ReportParts extends Figures {
  readonly name: string;
  readonly avocet: string;
  readonly quantized: Quantized;
  readonly settings: RunReport["settings"];
  readonly environment: RunReport["environment"];
}

/**
 * Plain data; nothing is run here. How long everything took is known only when it has been written. A part that a strange model breaks
 * is left out and reported.
 */
export function buildReport(parts: ReportParts): Omit<RunReport, "seconds"> {
  const { quantized, verification, similarity } = parts;
  const { prepared: model, plan } = quantized;
  const outputs = new Set(model.graph.outputs.map((value) => value.name));
  const unjudged = [...parts.unjudged, ...verification.unjudged];
  const part = <T>(what: string, build: () => T, otherwise: T): T => attemptNow(what, unjudged, build) ?? otherwise;
  const report: Omit<RunReport, "seconds" | "warnings"> = {
    version: 1,
    avocet: parts.avocet,
    environment: parts.environment,
    model: {
      name: parts.name,
      opset: model.opset,
      nodes: model.graph.nodeCount,
      parameters: parametersOf(model),
      quantized: part("how many weights are quantized", () => quantizedParameters(quantized), null),
      macs: part("multiply-accumulates", () => macsOf(model, quantized.shapes), null),
    },
    settings: parts.settings,
    runtime: verification.runtime,
    score: parts.score,
    agreement: verification.agreement,
    agreementSamples: verification.samples,
    judgedOn: parts.judgedOn,
    ties: verification.ties,
    latencyMs: verification.latencyMs,
    bytes: verification.bytes,
    outputs: similarity.filter((s) => outputs.has(s.name)),
    values: part("values", () => valueReports(quantized, similarity, parts.clipped), []),
    weights: part("weights by channel", () => weightReports(quantized), []),
    weightChanges: part("weights before and after", () => weightChanges(quantized.source, quantized.decided), []),
    layers: part("the table of layers", () => layerReports(quantized, similarity, parts.kernels), []),
    notQuantized: plan.notQuantized,
    kernels: {
      integer: parts.kernels.filter((k) => k.integer).length,
      float: parts.kernels.filter((k) => !k.integer).map(({ node, reason }) => ({ node, reason: reason ?? "" })),
    },
    differences: verification.differences,
    steps: quantized.steps,
    unjudged,
  };
  const random = randomNodes(model).map((node) => `${node}`);
  const training = quantized.steps.find((step) => step.step === "use-inference")?.notes ?? [];
  const rounded = verification.runtime === "ort-node" ? roundedInputs(quantized.shipped) : [];
  const recurrent = [...model.graph.nodes].filter(isRecurrent);
  const warnings = [
    ...recurrentWarnings(floatRecurrences(recurrent, plan), recurrent.length),
    ...warningsOf({ ...report, random, training }),
    ...roundingWarnings(rounded),
  ];
  return { ...report, warnings };
}

/** The recurrent operators that compute in float, with the reason of the first weight; `stored`: both are integers in the file. */
function floatRecurrences(nodes: readonly Node[], { entries, notQuantized }: Plan) {
  const placed = new Set(entries.map(({ value }) => value));
  const reasons = new Map(notQuantized.map(({ value, reason }) => [value, reason]));
  return nodes.flatMap((node) => {
    const read = [recurrentInputs.w, recurrentInputs.r].flatMap((index) => node.input(index) ?? []);
    const float = read.find(({ name }) => !placed.has(name));
    if (float) return [{ node: `${node}`, reason: reasons.get(float.name) ?? "they are computed", stored: false }];
    const cast = entries.find(
      ({ storage, value }) => storage === "castweights" && read.some(({ name }) => name === value),
    );
    return cast ? [{ node: `${node}`, reason: cast.reason, stored: true }] : [];
  });
}

/** Numbers that are stored on a grid, or in half precision. */
function quantizedParameters({ prepared, plan, lowered }: Quantized): number {
  const entries = entriesByValue(plan);
  let sum = 0;
  for (const { name, initializer } of prepared.graph.initializers) {
    const entry = entries.get(name);
    const onGrid = entry !== undefined && entry.kind !== "activation" && entry.encoding !== undefined;
    if (!initializer || initializer.shape.length === 0) continue;
    if (onGrid || halves.has(lowered.of(name)?.quantized?.initializer?.dtype ?? "")) sum += initializer.size;
  }
  return sum;
}

const halves: ReadonlySet<string> = new Set(["float16", "bfloat16"]);

function weightReports(quantized: Quantized): WeightReport[] {
  const values = quantized.prepared.graph.valuesByName();
  return quantized.plan.entries.flatMap((entry) => {
    const value = values.get(entry.value);
    if (entry.kind !== "weight" || !entry.encoding || !value?.initializer) return [];
    // A single number (a factor, a bound) has no channels to compare.
    return value.initializer.size < 2 ? [] : [weightReport(entry, value)];
  });
}

function weightReport(entry: PlanEntry, value: Value): WeightReport {
  const encoding = entry.encoding!;
  const { granularity } = encoding;
  const weight = value.initializer!;
  const { min, max } = channelRanges(weight, channelAxisOf(entry, value));
  return {
    name: entry.value,
    layer: value.consumers()[0]?.toString() ?? "",
    grid: gridName(entry.grid),
    granularity: granularity.kind,
    channels: { min, max },
    limit: limitsOf(encoding, weight.shape, min.length),
  };
}

/** The axis of output channels: what the grid is over, else what the layer that reads the weight says, else the first. */
function channelAxisOf({ encoding }: PlanEntry, value: Value): number {
  const { granularity } = encoding!;
  if (granularity.kind === "channel") return granularity.axis;
  if (granularity.kind === "block") return granularity.channelAxis;
  const rank = value.initializer!.shape.length;
  for (const use of value.uses()) {
    const role = "node" in use ? rowOf(use.node)?.linear : undefined;
    if (!role || !("node" in use) || role.weight !== use.index) continue;
    const axis = role.channelAxis(use.node);
    if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  }
  return 0;
}

/** One number a scale, or with blocks the highest of each channel's. */
function limitsOf(encoding: Encoding, shape: readonly number[], channels: number): number[] {
  const limits = encoding.scale.map((_, i) => encodingMax(encoding, i));
  const { granularity } = encoding;
  if (granularity.kind !== "block") return limits;
  const inner = sizeOf(shape.slice(granularity.channelAxis + 1));
  const highest: number[] = new Array(channels).fill(0);
  forEachRun(shape, granularity, (slice, start) => {
    const channel = Math.floor(start / inner) % channels;
    highest[channel] = Math.max(highest[channel]!, limits[slice]!);
  });
  return highest;
}

/** Lowest and highest weight of every channel. */
function channelRanges(weight: Tensor, axis: number): { min: number[]; max: number[] } {
  const channels = weight.shape[axis] ?? 1;
  const min: number[] = new Array(channels).fill(Number.POSITIVE_INFINITY);
  const max: number[] = new Array(channels).fill(Number.NEGATIVE_INFINITY);
  const data = weight.floats();
  forEachStretch(weight.shape, { kind: "channel", axis }, (first, step, start, end) => {
    for (let i = start, channel = first; i < end; i++, channel += step) {
      min[channel] = Math.min(min[channel]!, data[i]!);
      max[channel] = Math.max(max[channel]!, data[i]!);
    }
  });
  return { min, max };
}
