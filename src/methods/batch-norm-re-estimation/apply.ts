/**
 * Batch norms get the statistics that their inputs have in the quantized (or compressed) model: quantizers and changed weights
 * move means and variances, and a batch norm with the old ones passes the shift on. AIMET's `reestimate_bn_stats`.
 */
import { AvocetError, throwIfAborted } from "../../base/inner.ts";
import { samples } from "../../data/inner.ts";
import { cloneModel, type Model, type Node } from "../../ir/inner.ts";
import { defaultOpset, upgradeOpset } from "../../passes/inner.ts";
import { lower, type Plan } from "../../quant/inner.ts";
import { feedsFor, openCursor, pacer } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { trainBatchNorms } from "../../train/inner.ts";
import type { MethodReport, PreparationContext } from "../method.ts";
import { channelMoments } from "./channel-moments.ts";

export interface ReestimateOptions {
  /** The quantizers that the inputs of batch norms go through. Default: none, the model as it is. */
  readonly plan?: Plan;
  /**
   * "sequential" (the default): one batch norm after the other, over all samples, each behind those that are right already.
   * "batches": as AIMET does, one pass in training form, in which each batch is normalised by its own statistics, and their mean is
   * taken; it needs batches that are large enough.
   */
  readonly pass?: "sequential" | "batches";
  /** Samples a batch. Default: that of the context, else 32. */
  readonly batch?: number;
  /** How many batches are seen at most, of samples spread evenly over the data. Default 100, AIMET's. */
  readonly batches?: number;
}

export interface ReestimatedBatchNorms {
  readonly model: Model;
  readonly report: MethodReport;
  /** The constants as they were, by name: see `restoreConstants`. */
  readonly before: ReadonlyMap<string, Tensor>;
}

const step = "batch-norm-re-estimation";

/**
 * The model with new means and variances in its BatchNormalization nodes; all else, and the model that is given, stays. Needs
 * data. Norms whose statistics are computed or shared are left alone, with a note. Throws `data/none`.
 */
export async function reestimateBatchNorms(
  model: Model,
  context: PreparationContext,
  options: ReestimateOptions = {},
): Promise<ReestimatedBatchNorms> {
  const start = performance.now();
  const { plan, pass = "sequential" } = options;
  const result = cloneModel(model);
  const { run, twinOf } = runForm(result, plan);
  const notes: string[] = [];
  const chosen = normsOf(result).flatMap((node) => {
    const other = twinOf(node);
    const reason = whyLeft(node) ?? whyLeft(other);
    if (reason) notes.push(`${node}: left: ${reason}`);
    return reason ? [] : [{ node, other }];
  });
  const renew = pass === "sequential" ? sequentially : byBatches;
  const before = new Map<string, Tensor>();
  await renew(run, chosen, context, options, (node, mean, variance) => {
    notes.push(`${node}: ${moved(node, mean, variance)}`);
    for (const [index, values] of [[3, mean] as const, [4, variance] as const]) {
      const constant = node.input(index)!;
      before.set(constant.name, constant.initializer!);
      constant.initializer = Tensor.float32([values.length], Float32Array.from(values));
    }
  });
  return {
    model: result,
    before,
    report: { step, edits: before.size / 2, seconds: (performance.now() - start) / 1000, notes },
  };
}

/** A copy of the model with these constants put back, bit for bit. Throws `graph/not-found` for one that it lacks. */
export function restoreConstants(model: Model, before: ReadonlyMap<string, Tensor>): Model {
  const copy = cloneModel(model);
  const values = copy.graph.valuesByName();
  for (const [name, tensor] of before) {
    const constant = values.get(name);
    if (!constant?.initializer) {
      throw new AvocetError("graph/not-found", `expected a constant of the model, got ${name}`, {
        at: model.source ?? name,
      });
    }
    constant.initializer = tensor;
  }
  return copy;
}

/** The model that is run, quantized where there is a plan, and where each node of the given one is in it. */
function runForm(model: Model, plan: Plan | undefined): { run: Model; twinOf: (node: Node) => Node } {
  const raised = cloneModel(model);
  upgradeOpset(raised, Math.max(raised.opset, defaultOpset));
  const lowered = plan && lower(raised, plan);
  const values = raised.graph.valuesByName();
  // Copies and later operator sets have the same values.
  const floatOf = (name: string) => (lowered ? lowered.of(name)?.float : values.get(name));
  return { run: lowered?.model ?? raised, twinOf: (node) => floatOf(node.output.name)!.producer! };
}

/** A batch norm in the model that is returned, and the same one in the model that is run. */
interface Norm {
  readonly node: Node;
  readonly other: Node;
}

type Renew = (node: Node, mean: ArrayLike<number>, variance: ArrayLike<number>) => void;

async function sequentially(
  run: Model,
  norms: readonly Norm[],
  context: PreparationContext,
  options: ReestimateOptions,
  renew: Renew,
): Promise<void> {
  const { runtime, signal, onProgress } = context;
  const { data, batch } = limited(context, options);
  await using cursor = await openCursor({ model: run, runtime, data, signal, batch });
  for (const [i, { node, other }] of norms.entries()) {
    throwIfAborted(context);
    onProgress?.({ step, done: i, total: norms.length, detail: `${node}` });
    const input = other.input(0)!.name;
    await cursor.float.advance([input], { signal });
    const { mean, variance } = await channelMoments(cursor.float, input, runtime, { signal });
    renew(node, mean, variance);
    for (const index of [3, 4]) other.input(index)!.initializer = node.input(index)!.initializer!;
  }
}

/** Training form normalises by the batch; keeping nothing of the old statistics, it returns those of the batch itself. */
async function byBatches(
  run: Model,
  norms: readonly Norm[],
  context: PreparationContext,
  options: ReestimateOptions,
  renew: Renew,
): Promise<void> {
  const { runtime, signal, onProgress } = context;
  const { data, batch } = limited(context, options);
  const names = norms.map(({ other }) => [3, 4].map((index) => other.input(index)!.name));
  const next = new Map(trainBatchNorms(run, 0).states.map((state) => [state.name, state.next]));
  const values = run.graph.valuesByName();
  run.graph.setOutputs([...next.values()].map((name) => values.get(name)!));
  const sums = new Map<string, Float64Array>();
  const pause = pacer();
  await using session = await runtime.open(run, { fuseQdq: false });
  let seen = 0;
  for await (const { feeds, size } of data.batches(batch, signal)) {
    throwIfAborted(context);
    // A last batch that is small would count as much as the others.
    if (size < batch && seen > 0) break;
    const results = await session.run(feedsFor(run, feeds));
    for (const [name, output] of next) {
      const part = results[output]!.floats();
      const sum = sums.get(name) ?? new Float64Array(part.length);
      sums.set(
        name,
        sum.map((s, c) => s + part[c]!),
      );
    }
    seen++;
    onProgress?.({ step, done: seen, total: options.batches ?? mostBatches });
    await pause();
  }
  if (seen === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  for (const [i, { node }] of norms.entries()) {
    const [mean, variance] = names[i]!.map((name) => sums.get(name)!.map((sum) => sum / seen));
    renew(node, mean!, variance!);
  }
}

const mostBatches = 100;

function limited({ data, batch }: PreparationContext, options: ReestimateOptions) {
  if (!data) {
    throw new AvocetError("data/none", "expected data to estimate statistics from, got none", {
      hint: "give calibration samples",
    });
  }
  const size = options.batch ?? batch ?? 32;
  return { data: samples(data, size * (options.batches ?? mostBatches)), batch: size };
}

function normsOf(model: Model): Node[] {
  return [...model.graph.nodes].filter((node) => node.opName === "BatchNormalization");
}

function whyLeft(node: Node): string | null {
  if (node.int("training_mode", 0) !== 0) return "it is in training form";
  for (const index of [3, 4]) {
    const value = node.input(index)!;
    if (value.initializer?.dtype !== "float32") return `its ${index === 3 ? "mean" : "variance"} is computed`;
    if (value.useCount > 1) return "others share its statistics";
  }
  return null;
}

/** By how much the statistics moved, in deviations of the old ones. */
function moved(node: Node, mean: ArrayLike<number>, variance: ArrayLike<number>): string {
  const [oldMean, oldVariance] = [3, 4].map((index) => node.input(index)!.initializer!.floats());
  const epsilon = node.float("epsilon", 1e-5);
  let [far, ratio] = [0, 1];
  oldMean!.forEach((m, c) => {
    far = Math.max(far, Math.abs(mean[c]! - m) / Math.sqrt(oldVariance![c]! + epsilon));
    const wider = (variance[c]! + epsilon) / (oldVariance![c]! + epsilon);
    ratio = Math.max(ratio, wider, 1 / wider);
  });
  return `means by up to ${far.toPrecision(3)} deviations, variances by up to ${ratio.toPrecision(3)} times`;
}
