/**
 * The same for batch norms that were folded into the layer before: means and variances of the layer's output channels are
 * brought to where they were in float, by a factor and a shift per channel. A factor goes into the scale of the channel, so that
 * the integers of a quantized weight stay (AIMET's `fold_all_batch_norms_to_scale`).
 */
import { isRefused, throwIfAborted } from "../../base/inner.ts";
import { biasOf, vectorSlot } from "../../facts/inner.ts";
import { cloneModel, type Model } from "../../ir/inner.ts";
import { batchNormStatistics, putBias } from "../../passes/inner.ts";
import {
  entriesByValue,
  isIntGrid,
  type Plan,
  type PlanEntry,
  quantizeDequantize,
  withBiasEncodings,
  withEntries,
} from "../../quant/inner.ts";
import { openCursor } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { alongside, type Branches, lowerForEdits } from "../branches.ts";
import type { MethodResult, PreparationContext } from "../method.ts";
import { type ChannelMoments, channelMoments } from "./channel-moments.ts";

export interface FoldedBatchNormOptions {
  /**
   * The float model: the same layers, by the names of their weights. Its layers' outputs on the same samples say where statistics belong;
   * without it, the folded batch norms' own promise does.
   */
  readonly reference?: Model;
}

const step = "batch-norm-re-estimation";
/** Of the mean variance: a channel that is constant keeps its scale. */
const epsilon = 1e-5;

/**
 * Model and plan with corrected scales and biases of the layers that had a batch norm. The plan needs encodings; encodings of
 * corrected weights come back frozen. Layers whose scale is shared by several channels get the shift alone.
 */
export async function reestimateFoldedBatchNorms(
  model: Model,
  plan: Plan,
  context: PreparationContext & { readonly data: NonNullable<PreparationContext["data"]> },
  options: FoldedBatchNormOptions = {},
): Promise<MethodResult> {
  const start = performance.now();
  const { reference } = options;
  const { runtime, data, signal, batch, onProgress } = context;
  const result = cloneModel(model);
  const lowered = lowerForEdits(model, plan, true);
  const quantized = lowered.model;
  const branches = alongside(reference ?? model, result, lowered);
  const entries = entriesByValue(plan);
  const changed = new Map<string, PlanEntry>();
  const notes: string[] = [];
  let edits = 0;
  const session = { fuseQdq: false };
  await using cursor = await openCursor({
    model: reference ?? model,
    quantized,
    runtime,
    data,
    signal,
    session,
    ...(batch ? { batch } : {}),
  });
  for (const [i, branch] of branches.entries()) {
    throwIfAborted(context);
    const { layer, result: same, quantizedNode } = branch;
    onProgress?.({ step, done: i, total: branches.length, detail: `${layer.node}` });
    const promised = batchNormStatistics(same.node.output);
    if (!promised) continue;
    const outputs = layer.axes.outputs;
    const [slot, twin] = [vectorSlot(same.node, outputs), vectorSlot(quantizedNode, outputs)];
    const bias = biasOf(slot, outputs);
    if (isRefused(bias) || same.node.op === "Gemm") {
      notes.push(`${layer.node}: left: ${isRefused(bias) ? bias.refused : "a Gemm multiplies its bias"}`);
      continue;
    }
    await cursor.advance([layer.node.input(0)!.name], [quantizedNode.input(0)!.name]);
    const now = await channelMoments(cursor.quantized, quantizedNode.output.name, runtime, { signal, session });
    const wanted = reference
      ? await channelMoments(cursor.float, layer.node.output.name, runtime, { signal, session })
      : { mean: Float64Array.from(promised.beta), variance: Float64Array.from(promised.gamma, (g) => g * g) };
    const entry = entries.get(same.weight.value.name);
    const factor = hasOwnScales(branch, entry) ? factors(now, wanted) : null;
    const shifted = bias.map((b, c) => (factor?.[c] ?? 1) * (b - now.mean[c]!) + wanted.mean[c]!);
    putBias(same.node, slot, shifted);
    putBias(quantizedNode, twin, shifted);
    if (factor) scaleWeight(branch, quantized, entry, factor, changed);
    edits++;
    notes.push(
      `${layer.node}: ${factor ? `factors ${lowest(factor)} … ${highest(factor)}` : "shifted alone: channels share a scale"}`,
    );
  }
  return {
    model: result,
    plan: withBiasEncodings(withEntries(plan, changed), result),
    report: { step, edits, seconds: (performance.now() - start) / 1000, notes },
  };
}

function factors(now: ChannelMoments, wanted: ChannelMoments): Float64Array {
  const floor = (epsilon * wanted.variance.reduce((sum, v) => sum + v, 0)) / wanted.variance.length;
  if (!(floor > 0)) return new Float64Array(now.mean.length).fill(1);
  return now.variance.map((v, c) => Math.sqrt((wanted.variance[c]! + floor) / (v + floor)));
}

/** Whether every output channel has a scale to itself, or the weight is in float. */
function hasOwnScales({ layer }: Branches, entry: PlanEntry | undefined): boolean {
  if (layer.weight.value.useCount > 1) return false;
  if (!entry || !isIntGrid(entry.grid) || !entry.encoding) return true;
  const { granularity, scale } = entry.encoding;
  const outputs = layer.axes.outputs;
  return granularity.kind === "channel" && granularity.axis === layer.axes.out && scale.length === outputs;
}

/** The weight times its factors in both models, and its scales in the plan. */
function scaleWeight(
  { layer, result, quantizedNode }: Branches,
  quantized: Model,
  entry: PlanEntry | undefined,
  factor: Float64Array,
  changed: Map<string, PlanEntry>,
): void {
  const constant = result.weight.value;
  const tensor = constant.initializer!;
  const encoding = entry && isIntGrid(entry.grid) ? entry.encoding : undefined;
  const hard = encoding ? quantizeDequantize(tensor, encoding, "half-even") : tensor;
  const values = new Float32Array(tensor.size);
  const numbers = hard.floats();
  layer.matrix.order.forEach((at, i) => {
    values[at] = numbers[at]! * factor[Math.floor(i / layer.matrix.columns)]!;
  });
  const scaled = Tensor.float32(tensor.shape, values);
  constant.initializer = scaled;
  quantized.graph.setInput(
    quantizedNode,
    layer.weight.index,
    quantized.graph.addInitializer(`${constant.name}_scaled`, scaled),
  );
  if (!entry || !encoding) return;
  const scale = encoding.scale.map((s, c) => Math.fround(Math.fround(s) * factor[c]!));
  changed.set(entry.value, { ...entry, encoding: { ...encoding, scale }, frozen: true });
}

const lowest = (values: Float64Array) => values.reduce((a, b) => Math.min(a, b)).toPrecision(3);
const highest = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b)).toPrecision(3);
