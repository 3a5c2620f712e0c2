/**
 * Solves the linear layers of a model one after the other: the cursor brings the inputs of the float model and of the
 * model whose layers before are quantized already, their moments are gathered, a method chooses the integers, and the
 * best bias for them follows in closed form.
 */

import { isRefused, Random, type Refused, refuse, throwIfAborted } from "../../base/inner.ts";
import { biasOf, type MatrixLayer, matrixOf, vectorSlot } from "../../facts/inner.ts";
import { cloneModel, type Model } from "../../ir/inner.ts";
import { putBias, shiftedBias } from "../../passes/inner.ts";
import {
  aroundZero,
  constrained,
  type Encoding,
  entriesByValue,
  gridName,
  isIntGrid,
  limited,
  type Moments,
  type Plan,
  type PlanEntry,
  withBiasEncodings,
  withEntries,
} from "../../quant/inner.ts";
import { biasShift } from "../bias-correction/math.ts";
import { alongside, type Branches, lowerForEdits } from "../branches.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { type InputNames, LayerInputs } from "./layer-inputs.ts";
import { type DecidedLayer, type LayerSolution, loadLayer, saveLayer } from "./layer-record.ts";
import { type RecurrentBranch, recurrentBranches, shiftBias } from "./recurrent-branches.ts";

export interface LayerTask {
  readonly layer: MatrixLayer;
  readonly entry: PlanEntry;
  /** The encoding that the plan has: where a search starts. */
  readonly encoding: Encoding;
  /** W, [groups · outputs, columns]. */
  readonly weight: Float32Array;
  readonly moments: Moments;
}

export interface SequentialOptions {
  readonly step: string;
  /** Patch rows a column of a layer; see `MomentOptions`. */
  readonly rowsPerColumn?: number | undefined;
  /** Whether the inputs of the quantized branch carry the noise of activation quantizers too. Default true. */
  readonly activations?: boolean | undefined;
  /** Whether each layer gets the bias that is best for its rounded weights. Default true. */
  readonly bias?: boolean | undefined;
  /** Whether only weights of fewer than 8 bits or with one scale for all channels are decided. Default false. */
  readonly coarseOnly?: boolean | undefined;
}

/**
 * The plan needs encodings (calibrate first). Weights come back rounded, their encodings frozen. Layers that the context's
 * checkpoint has are not solved again.
 */
export async function solveLayers(
  model: Model,
  plan: Plan,
  context: MethodContext,
  options: SequentialOptions,
  solve: (task: LayerTask) => Promise<LayerSolution>,
): Promise<MethodResult> {
  const start = performance.now();
  const { runtime, data, signal, onProgress, threads, checkpoint } = context;
  const result = cloneModel(model);
  const lowered = lowerForEdits(model, plan, options.activations !== false);
  const quantized = lowered.model;
  const branches = inOrder(model, [...alongside(model, result, lowered), ...recurrentBranches(model, result, lowered)]);
  const entries = entriesByValue(plan);
  const solved = new Map<string, PlanEntry>();
  const notes: string[] = [];
  const session = { fuseQdq: false, ...(threads ? { threads } : {}) };
  const batch = context.batch ? { batch: context.batch } : {};
  await using inputs = new LayerInputs({
    cursor: { model, quantized, runtime, data, session, signal, ...batch },
    random: new Random(context.seed),
    threads,
    rowsPerColumn: options.rowsPerColumn,
  });
  const zeroed = sharedZeroed();
  let [gathering, fine] = [0, 0];
  const decide = async (branch: Branch, entry: PlanEntry, names: InputNames): Promise<DecidedLayer> => {
    const { layer } = branch;
    const before = performance.now();
    const gathered = await inputs.momentsOf(layer, names, branch.recurrent?.floatOnly);
    gathering += performance.now() - before;
    // The centred moments judge a layer at its best bias. One that keeps its bias is judged as it is.
    const moments = options.bias === false || isRefused(openBias(branch)) ? zeroed(gathered) : gathered;
    const weight = matrixOf(layer.matrix, layer.weight.tensor);
    const found = await solve({ layer, entry, encoding: entry.encoding!, weight, moments });
    const solved = { ...found, note: `${found.note}; ${sampled(moments)}` };
    const safe = limited(entry, layer.weight.value, solved.encoding, () => solved.weight) ?? solved.weight;
    const best = options.bias === false ? undefined : bestBias(branch, weight, matrixOf(layer.matrix, safe), moments);
    if (typeof best === "string") return { ...solved, weight: safe, note: `${solved.note}; its bias stays: ${best}` };
    return { ...solved, weight: safe, ...(best ? { bias: best } : {}) };
  };
  for (const [index, branch] of branches.entries()) {
    throwIfAborted(context);
    const { layer, result: same, quantizedNode } = branch;
    onProgress?.({ step: options.step, done: index, total: branches.length, detail: `${layer.node}` });
    const entry = entries.get(layer.weight.value.name);
    const skipped = whySkipped(layer, entry, solved);
    if (!skipped && options.coarseOnly && !branch.recurrent && isFine(layer, entry!)) {
      fine++;
      continue;
    }
    if (skipped) {
      notes.push(`${layer.node}: skipped: ${skipped}`);
      continue;
    }
    const names: InputNames = branch.recurrent?.names ?? [layer.node.input(0)!.name, quantizedNode.input(0)!.name];
    const known = checkpoint && (await loadLayer(checkpoint, `layer-${index}`));
    if (known) inputs.pass(names);
    const decided = known ?? (await decide(branch, entry!, names));
    if (checkpoint && !known) await saveLayer(checkpoint, `layer-${index}`, decided);
    notes.push(`${layer.node}: ${decided.note}`);
    solved.set(entry!.value, { ...entry!, encoding: decided.encoding });
    if (!decided.encodingOnly) same.weight.value.initializer = decided.weight;
    const weight = quantized.graph.addInitializer(`${layer.weight.value.name}_solved`, decided.weight);
    quantized.graph.setInput(quantizedNode, layer.weight.index, weight);
    if (!decided.bias) continue;
    if (branch.recurrent) {
      for (const node of [same.node, quantizedNode]) shiftBias(node, layer.weight.index, decided.bias);
      continue;
    }
    const outputs = layer.axes.outputs;
    putBias(same.node, vectorSlot(same.node, outputs), decided.bias);
    putBias(quantizedNode, vectorSlot(quantizedNode, outputs), decided.bias);
  }
  onProgress?.({ step: options.step, done: branches.length, total: branches.length });
  if (fine > 0)
    notes.unshift(`${fine} layers: skipped: 8 bits with a scale for each channel lose little by nearest rounding`);
  return {
    model: result,
    plan: frozen(plan, solved, result),
    report: {
      step: options.step,
      edits: solved.size,
      seconds: (performance.now() - start) / 1000,
      parts: { moments: gathering / 1000 },
      notes,
    },
  };
}

/** Moments around zero, the same object as long as the moments are: what follows from H is known by it. */
function sharedZeroed(): (moments: Moments) => Moments {
  let last: { readonly of: Moments; readonly zeroed: Moments } | undefined;
  return (moments) => {
    if (last?.of !== moments) last = { of: moments, zeroed: aroundZero(moments) };
    return last.zeroed;
  };
}

/** A layer, or a product inside a recurrent operator. */
type Branch = Branches & Partial<RecurrentBranch>;

function inOrder({ graph }: Model, branches: readonly Branch[]): Branch[] {
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  return branches.toSorted((a, b) => order.get(a.layer.node)! - order.get(b.layer.node)!);
}

/** Scales that were searched for the weight alone may be too small for the bias and for the integers behind them. */
function frozen(plan: Plan, solved: ReadonlyMap<string, PlanEntry>, model: Model): Plan {
  const safe = withBiasEncodings(constrained("solved", withEntries(plan, solved), { model }), model);
  return { ...safe, entries: safe.entries.map((e) => (solved.has(e.value) ? { ...e, frozen: true } : e)) };
}

/** How much of the layer's input the moments rest on: one batch alone does not tell how far others are from it. */
function sampled({ rows, samplingError }: Moments): string {
  const error = Number.isNaN(samplingError) ? "" : `, sampling error ${(100 * samplingError).toFixed(1)} %`;
  return `moments of ${rows} patches${error}`;
}

/** The bias that the layer has and that may change, or the reason why it cannot. What recurrent operators add is counted from zero. */
function openBias({ layer, result: { node }, quantizedNode, recurrent }: Branch): Float64Array | Refused {
  const outputs = layer.axes.outputs;
  if (recurrent) return recurrent.noBias === undefined ? new Float64Array(outputs) : refuse(recurrent.noBias);
  const slot = vectorSlot(node, outputs);
  if (isRefused(slot)) return refuse("the product has none");
  if (isRefused(vectorSlot(quantizedNode, outputs))) return refuse("the product is quantized before it is added");
  return biasOf(slot, outputs);
}

/** b̂ = b + W m − Ŵ m̂ (of a recurrent operator what is added to b), or the reason why the bias cannot take it. */
function bestBias(
  branch: Branch,
  weight: Float32Array,
  rounded: Float32Array,
  moments: Moments,
): Float64Array | string {
  const { layer, result, recurrent } = branch;
  const old = openBias(branch);
  if (isRefused(old)) return old.refused;
  const shift = biasShift(layer.matrix, weight, rounded, moments.mean, moments.quantizedMean);
  return recurrent ? shift : shiftedBias(result.node, old, shift);
}

/** Eight bits and a scale for each channel leave little to decide. */
function isFine({ axes }: MatrixLayer, { grid, granularity }: PlanEntry): boolean {
  const isOneScale = granularity.kind === "tensor" && axes.outputs > 1;
  return grid.kind === "int" && grid.bits >= 8 && !isOneScale;
}

function whySkipped(
  layer: MatrixLayer,
  entry: PlanEntry | undefined,
  done: ReadonlyMap<string, PlanEntry>,
): string | null {
  if (!entry) return "its weight stays float";
  if (!isIntGrid(entry.grid)) return `its weight is rounded to the nearest number of ${gridName(entry.grid)}`;
  if (entry.frozen || done.has(entry.value)) return "its weight was decided before";
  if (!entry.encoding) return "its weight has no encoding";
  if (layer.weight.value.useCount > 1) return `${layer.weight.value.useCount} nodes share its weight`;
  return null;
}
