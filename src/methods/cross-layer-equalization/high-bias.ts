/**
 * High-bias folding (Nagel et al. 2019, eq. 15): equalization may leave a layer with large biases, whose activations then
 * need a wide grid although they vary little. What a ReLU never cuts off moves into the biases of the readers:
 *
 *   relu(y − c) = relu(y) − c   while y ≥ c,     b₁ − c,     b₂ + Σ W₂·c
 *
 * With data, c is also kept below what was seen, so that nothing changes there; without, 3 deviations of the batch norm are
 * trusted, as in AIMET. Unlike AIMET, readers that pad with zeros are left alone: their borders would change.
 */

import { isRefused, throwIfAborted } from "../../base/inner.ts";
import { isOp, onlyReader, rankOf } from "../../facts/inner.ts";
import { check, cloneModel, type Model, type Node, type Value } from "../../ir/inner.ts";
import {
  batchNormStatistics,
  type EditableLayer,
  editableLayer,
  editableProduct,
  moveBatchNormStatistics,
  scaleInput,
  scaleOutput,
} from "../../passes/inner.ts";
import { alongAxis, openTaps } from "../../runtime/inner.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { absorbable } from "./math.ts";

interface Candidate {
  readonly layer: EditableLayer;
  readonly readers: readonly Node[];
  readonly rectified: boolean;
  /** What may move, per channel. */
  readonly shift: readonly number[];
}

/** Moves high biases into the readers. Needs batch norms that were folded; the given model is not changed. */
export async function foldHighBiases(model: Model, context: PreparationContext): Promise<Prepared> {
  const start = performance.now();
  const copy = cloneModel(model);
  const notes: string[] = [];
  const found = [...copy.graph.nodes].flatMap((node) => candidateAt(node, notes) ?? []);
  const seen = await minima(copy, found, context);
  let edits = 0;
  for (const { layer, readers, rectified, shift } of found) {
    const least = seen.get(layer.result.name);
    const moved = shift.map((c, k) => (rectified && least ? Math.max(0, Math.min(c, least[k]!)) : c));
    const channels = moved.filter((c) => c !== 0).length;
    if (channels === 0) continue;
    const ones = moved.map(() => 1);
    const affine = { scale: ones, shift: moved.map((c) => -c) };
    moveBatchNormStatistics(scaleOutput(layer, affine), affine);
    for (const reader of readers) {
      const now = editableProduct(reader);
      if (now && !isRefused(now)) scaleInput(now, { scale: ones, shift: moved });
    }
    notes.push(`${layer.node}: ${channels} of ${moved.length} biases moved into ${readers.join(" and ")}`);
    edits++;
  }
  if (edits > 0) check(copy, "after folding high biases");
  return { model: copy, report: { step: "high-bias", edits, seconds: (performance.now() - start) / 1000, notes } };
}

/** A layer whose batch norm is known, with a Relu or nothing between it and layers that see all of it. */
function candidateAt(node: Node, notes: string[]): Candidate | undefined {
  if (!isOp(node, "Conv", "ConvTranspose", "Gemm")) return undefined;
  const layer = editableLayer(node.output);
  const statistics = batchNormStatistics(node.output);
  if (!layer || isRefused(layer) || !statistics || statistics.beta.length !== layer.axes.outputs) return undefined;
  const relu = onlyReader(node.output);
  const rectified = isOp(relu, "Relu");
  const read: Value = rectified ? relu.output : node.output;
  const readers = read.consumers();
  if (read.isGraphOutput || readers.length === 0) return undefined;
  const shift = statistics.beta.map((beta, k) => absorbable(beta, statistics.gamma[k]!, rectified));
  if (shift.every((c) => c === 0)) return undefined;
  const refusal = readers.map((reader) => whyNot(reader, read, layer.axes.outputs)).find((why) => why !== undefined);
  if (refusal === undefined) return { layer, readers, rectified, shift };
  notes.push(`${node}: its biases stay: ${refusal}`);
  return undefined;
}

function whyNot(reader: Node, read: Value, channels: number): string | undefined {
  const layer = editableProduct(reader);
  if (!layer || isRefused(layer) || reader.input(0) !== read || !isOp(reader, "Conv", "Gemm")) {
    return `${reader} is no layer with a constant weight`;
  }
  if (layer.axes.inputs !== channels || reader.int("transA", 0) !== 0) return `${reader} reads other channels`;
  const padded = reader.ints("pads", []).some((p) => p !== 0);
  const automatic = isOp(reader, "Conv") && !["NOTSET", "VALID"].includes(reader.string("auto_pad", "NOTSET"));
  return padded || automatic ? `${reader} pads with zeros, which would have to change too` : undefined;
}

/** The smallest number of every channel of the results that a Relu follows, by name; empty without data. */
async function minima(
  model: Model,
  found: readonly Candidate[],
  context: PreparationContext,
): Promise<Map<string, Float64Array>> {
  const least = new Map<string, Float64Array>();
  const { data, signal, onProgress, batch } = context;
  const watched = found.filter(({ rectified }) => rectified);
  if (!data || watched.length === 0) return least;
  const reductions = new Map(
    watched.map(({ layer: { node, result, weight } }) => {
      const rank = isOp(node, "Gemm") ? 2 : (rankOf(result) ?? weight.tensor.shape.length);
      return [result.name, alongAxis(1, rank, "ReduceMin")] as const;
    }),
  );
  await using taps = await openTaps(model, context.runtime, { reductions });
  const options = { step: "high-bias", signal, onProgress, ...(batch ? { batch } : {}) };
  for await (const { reduced } of taps.stream(data, options)) {
    for (const [name, [min]] of reduced) {
      const now = Float64Array.from(min!.floats());
      const before = least.get(name);
      least.set(name, before ? before.map((x, k) => Math.min(x, now[k]!)) : now);
    }
  }
  throwIfAborted(context);
  return least;
}
