/**
 * SpinQuant (Liu et al. 2024, arXiv 2405.16406) with fixed matrices: the model computes what it computed, but what it quantizes has no
 * outliers. Rotations are Hadamard matrices with random signs; streams whose normalizations subtract the mean get matrices that keep it, so
 * that LayerNormalization stays as it is.
 */
import { isRefused, Random, throwIfAborted } from "../../base/inner.ts";
import { LengthTable } from "../../facts/inner.ts";
import { check, cloneModel, type Model } from "../../ir/inner.ts";
import { foldGains, headsOf, type ResidualStream, residualStreams } from "../../passes/inner-transformer.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { optionsOf } from "../step.ts";
import { type SpinQuantOptions, spinQuantOptions } from "./options.ts";
import { meanKeeping, mixingMatrix } from "./orthogonal.ts";
import { Products } from "./products.ts";
import { rotateHidden, rotateScores, rotateValues } from "./rotate-heads.ts";
import { endsOf, rotateStream } from "./rotate-stream.ts";

/** Rotates the residual streams and attentions of a normalised model. The given model is not changed. */
export async function rotateTransformer(
  model: Model,
  context: PreparationContext,
  given: SpinQuantOptions = {},
): Promise<Prepared> {
  const start = performance.now();
  const options = optionsOf("spin-quant", spinQuantOptions, given);
  const copy = cloneModel(model);
  const random = new Random(options.seed);
  await using products = await Products.open(context.runtime);
  const notes: string[] = [];
  let edits = 0;
  const found = residualStreams(copy.graph, new LengthTable(copy));
  if (found.length === 0) {
    notes.push(
      "no residual stream was found: blocks of layers that add their results to what two or more normalizations read",
    );
  }
  if (options.residual) {
    for (let i = 0; i < found.length; i++) edits += await rotateOne(copy, i, { random, products, context, notes });
  }
  const counts = { values: 0, scores: 0, hidden: 0 };
  let lengths = new LengthTable(copy);
  for (const layer of residualStreams(copy.graph, lengths).flatMap(layersOf)) {
    throwIfAborted(context);
    const heads = headsOf(layer, lengths);
    if (heads && isRefused(heads)) notes.push(`${layer.node}: its heads are not rotated: ${heads.refused}`);
    else if (heads) {
      if (options.values) {
        await rotateValues(heads, mixingMatrix(heads.size, random), products);
        counts.values++;
      }
      const done = options.scores && rotateScores(copy.graph, heads, (size) => mixingMatrix(size, random), lengths);
      if (done && isRefused(done)) notes.push(`${layer.node}: queries and keys are not rotated: ${done.refused}`);
      else if (done) {
        counts.scores++;
        lengths = new LengthTable(copy);
      }
    } else if (options.hidden) {
      const done = await rotateHidden(copy.graph, layer, lengths, products);
      if (isRefused(done)) notes.push(`${layer.node}: what it reads is not rotated: ${done.refused}`);
      else {
        counts.hidden++;
        lengths = new LengthTable(copy);
      }
    }
  }
  edits += counts.values + counts.scores + counts.hidden;
  if (counts.values > 0)
    notes.push(`values of ${counts.values} attentions rotated by head: caches of values hold rotated ones`);
  if (counts.scores > 0) notes.push(`queries and keys of ${counts.scores} attentions rotated when the model runs`);
  if (counts.hidden > 0) notes.push(`inputs of ${counts.hidden} last layers of MLPs rotated when the model runs`);
  if (edits > 0) check(copy, "after rotating a transformer");
  return { model: copy, report: { step: "spin-quant", edits, seconds: (performance.now() - start) / 1000, notes } };
}

interface Work {
  readonly random: Random;
  readonly products: Products;
  readonly context: PreparationContext;
  readonly notes: string[];
}

/** The stream with this number; it is found again after each step, since layers may have got biases. Returns how many weights changed. */
async function rotateOne(model: Model, index: number, { random, products, context, notes }: Work): Promise<number> {
  const find = () => residualStreams(model.graph, new LengthTable(model))[index]!;
  const before = find();
  const judged = endsOf(before);
  if (isRefused(judged)) {
    notes.push(`the residual stream of ${before.width} channels is not rotated: ${judged.refused}`);
    return 0;
  }
  const tied = foldGains(model.graph, before);
  const stream = find();
  const ends = endsOf(stream);
  if (isRefused(ends)) throw new Error(`internal: ${ends.refused}`);
  const keepsMean = stream.norms.some(({ kind }) => kind === "layer");
  const matrix = keepsMean ? meanKeeping(stream.width, random) : mixingMatrix(stream.width, random);
  throwIfAborted(context);
  await rotateStream(model.graph, stream, ends, matrix, products, tied);
  notes.push(summary(stream, ends, tied.length));
  return layersOf(stream).length + stream.norms.length;
}

function layersOf({ writers }: ResidualStream) {
  return writers.flatMap((writer) => (writer.kind === "layer" ? writer.layer : []));
}

function summary(
  stream: ResidualStream,
  { begins, ends }: { readonly begins: readonly unknown[]; readonly ends: readonly unknown[] },
  tied: number,
): string {
  const parts = [
    `residual stream of ${stream.width} channels rotated: ${layersOf(stream).length} layers write, ${stream.norms.length} normalizations read it`,
  ];
  if (begins.length > 0) parts.push(`${begins.length} values are rotated as they come in`);
  if (ends.length > 0) parts.push(`${ends.length} are rotated back where they leave`);
  if (tied > 0)
    parts.push(`a product [${stream.width}, ${stream.width}] in front of the head lets it go on sharing the table`);
  return parts.join("; ");
}
