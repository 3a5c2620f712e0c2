/**
 * Solves the linear layers of a model one after the other: the cursor brings the inputs of the float model and of the
 * model whose layers before are quantized already, their moments are gathered, a method chooses the integers, and the
 * best bias for them follows in closed form.
 */
import { Random, throwIfAborted } from "../base/index.ts";
import { cloneModel, type Model, type Node } from "../ir/index.ts";
import {
  biasSlot,
  biasValues,
  type Encoding,
  entriesByValue,
  isIntGrid,
  type LinearLayer,
  limitPairs,
  lower,
  MomentGatherer,
  type Moments,
  matrixOf,
  type Plan,
  type PlanEntry,
  setBias,
  withEntries,
} from "../quant/index.ts";
import { openCursor } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { biasShift } from "./bias-correction/math.ts";
import { alongside, weightsOnly } from "./branches.ts";
import type { MethodContext, MethodResult } from "./method.ts";

export interface LayerTask {
  readonly layer: LinearLayer;
  readonly entry: PlanEntry;
  /** The encoding that the plan has: where a search starts. */
  readonly encoding: Encoding;
  /** W, [groups · outputs, columns]. */
  readonly weight: Float32Array;
  readonly moments: Moments;
}

export interface LayerSolution {
  /** Ŵ: on the grid of the encoding, in the shape of the weight. */
  readonly weight: Tensor;
  readonly encoding: Encoding;
  /** The model keeps its float weight: only the encoding was chosen. Default false. */
  readonly encodingOnly?: boolean;
  /** A sentence for the report. */
  readonly note: string;
}

export interface SequentialOptions {
  readonly step: string;
  /** Patch rows a column of a layer; see `MomentOptions`. */
  readonly rowsPerColumn?: number | undefined;
  /** Whether the inputs of the quantized branch carry the noise of activation quantizers too. Default true. */
  readonly activations?: boolean | undefined;
  /** Whether each layer gets the bias that is best for its rounded weights. Default true. */
  readonly bias?: boolean | undefined;
}

/** The plan needs encodings (calibrate first). Weights come back rounded, their encodings frozen. */
export async function solveLayers(
  model: Model,
  plan: Plan,
  context: MethodContext,
  options: SequentialOptions,
  solve: (task: LayerTask) => Promise<LayerSolution>,
): Promise<MethodResult> {
  const start = performance.now();
  const { runtime, data, signal, onProgress, threads } = context;
  const result = cloneModel(model);
  const quantized = lower(model, options.activations === false ? weightsOnly(plan) : plan);
  const branches = alongside(model, result, quantized);
  const entries = entriesByValue(plan);
  const frozen = new Map<string, PlanEntry>();
  const notes: string[] = [];
  const random = new Random(context.seed);
  const session = { fuseQdq: false, ...(threads ? { threads } : {}) };
  await using cursor = await openCursor({
    model,
    quantized,
    runtime,
    data,
    session,
    signal,
    ...(context.batch ? { batch: context.batch } : {}),
  });
  await using gatherer = await MomentGatherer.open(runtime, threads);
  for (const [index, { layer, resultNode, quantizedNode }] of branches.entries()) {
    throwIfAborted(context);
    onProgress?.({ step: options.step, done: index, total: branches.length, detail: `${layer.node}` });
    const entry = entries.get(layer.weight.name);
    const skipped = whySkipped(layer, entry, frozen);
    if (skipped) {
      notes.push(`${layer.node}: skipped: ${skipped}`);
      continue;
    }
    const [x, y] = [layer.node.input(0)!.name, quantizedNode.input(0)!.name];
    await cursor.advance([x], [y]);
    const moments = await gatherer.gather(layer, cursor.pairs(x, y), cursor.samples, random.fork(layer.weight.name), {
      signal,
      ...(options.rowsPerColumn ? { rowsPerColumn: options.rowsPerColumn } : {}),
    });
    const weight = matrixOf(layer, layer.weight.initializer!);
    const solved = await solve({ layer, entry: entry!, encoding: entry!.encoding!, weight, moments });
    const solution = entry!.pairSafe
      ? { ...solved, weight: limitPairs(layer.weight, solved.weight, solved.encoding) }
      : solved;
    notes.push(`${layer.node}: ${solution.note}`);
    frozen.set(entry!.value, { ...entry!, encoding: solution.encoding, frozen: true });
    if (!solution.encodingOnly) resultNode.input(1)!.initializer = solution.weight;
    quantized.graph.setInput(
      quantizedNode,
      1,
      quantized.graph.addInitializer(`${layer.weight.name}_solved`, solution.weight),
    );
    if (options.bias !== false)
      correctBias(
        layer,
        [result, resultNode],
        [quantized, quantizedNode],
        weight,
        matrixOf(layer, solution.weight),
        moments,
      );
  }
  onProgress?.({ step: options.step, done: branches.length, total: branches.length });
  return {
    model: result,
    plan: withEntries(plan, frozen),
    report: { step: options.step, edits: frozen.size, seconds: (performance.now() - start) / 1000, notes },
  };
}

/** b̂ = b + W m − Ŵ m̂, in both the result and the quantized branch. */
function correctBias(
  layer: LinearLayer,
  [result, resultNode]: readonly [Model, Node],
  [quantized, quantizedNode]: readonly [Model, Node],
  weight: Float32Array,
  rounded: Float32Array,
  moments: Moments,
): void {
  const { groups, outputs } = layer;
  const slot = biasSlot(resultNode, groups * outputs);
  const twin = biasSlot(quantizedNode, groups * outputs);
  const old = slot && biasValues(slot, groups * outputs);
  if (!slot || !twin || !old) return;
  const shift = biasShift(layer, weight, rounded, moments.mean, moments.quantizedMean);
  const bias = old.map((b, row) => b + shift[row]!);
  setBias(result.graph, slot, bias);
  setBias(quantized.graph, twin, bias);
}

function whySkipped(
  layer: LinearLayer,
  entry: PlanEntry | undefined,
  done: ReadonlyMap<string, PlanEntry>,
): string | null {
  if (!entry || !isIntGrid(entry.grid)) return "its weight stays float";
  if (entry.frozen || done.has(entry.value)) return "its weight was decided before";
  if (!entry.encoding) return "its weight has no encoding";
  if (layer.weight.useCount > 1) return `${layer.weight.useCount} nodes share its weight`;
  return null;
}
