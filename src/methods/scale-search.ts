/**
 * Finds the scale of every slice of a weight on the moments: nearest rounding under each candidate, judged by the
 * reconstruction error. A candidate costs one small product, so that dozens are tried.
 */
import { roundHalfEven } from "../base/index.ts";
import { type Encoding, forEachRun, type LinearLayer } from "../quant/index.ts";
import { nearest, type RoundingProblem, withEncoding } from "./rounding-problem.ts";
import type { RowErrors } from "./row-errors.ts";

export interface ScaleSearchOptions {
  /** Fractions of the starting scale that are tried, besides 1. Default 36 from 0.3 to 1.05. */
  readonly factors?: readonly number[];
}

const usual = Array.from({ length: 36 }, (_, i) => 0.3 + (0.75 * i) / 35);

/**
 * The encoding with the best factor for every slice. Offsets stay, so that a symmetric grid stays symmetric. Rows of
 * one slice are judged together (per tensor: all); of slices within one row (blocks) all take the row's factor.
 */
export async function searchScales(
  problem: RoundingProblem,
  layer: LinearLayer,
  encoding: Encoding,
  errors: RowErrors,
  options: ScaleSearchOptions = {},
): Promise<Encoding> {
  const owner = ownersOfRows(layer, encoding);
  const factors = [1, ...(options.factors ?? usual)];
  const best = new Float64Array(owner.count).fill(Number.POSITIVE_INFINITY);
  const chosen = new Float64Array(owner.count).fill(1);
  for (const factor of factors) {
    const candidate = { ...problem, scale: problem.scale.map((s) => Math.fround(s * factor)) };
    const rows = await errors.of(candidate, nearest(candidate, roundHalfEven));
    const sums = new Float64Array(owner.count);
    rows.forEach((error, row) => {
      sums[owner.of[row]!]! += error;
    });
    sums.forEach((sum, i) => {
      if (sum >= best[i]!) return;
      best[i] = sum;
      chosen[i] = factor;
    });
  }
  return { ...encoding, scale: encoding.scale.map((s, slice) => Math.fround(s * chosen[owner.ofSlice[slice]!]!)) };
}

/** Which rows are judged together, and which of these groups each slice belongs to. */
function ownersOfRows(layer: LinearLayer, encoding: Encoding): { count: number; of: Int32Array; ofSlice: Int32Array } {
  const rows = layer.groups * layer.outputs;
  const slices = new Int32Array(layer.order.length);
  forEachRun(layer.weight.initializer!.shape, encoding.granularity, (slice, start, end) => {
    slices.fill(slice, start, end);
  });
  const ofSlice = new Int32Array(encoding.scale.length);
  const of = new Int32Array(rows);
  if (encoding.granularity.kind === "block") {
    layer.order.forEach((place, i) => {
      ofSlice[slices[place]!] = Math.floor(i / layer.columns);
    });
    return { count: rows, of: of.map((_, row) => row), ofSlice };
  }
  for (let row = 0; row < rows; row++) of[row] = slices[layer.order[row * layer.columns]!]!;
  return { count: encoding.scale.length, of, ofSlice: ofSlice.map((_, slice) => slice) };
}

/** The problem on the encoding that the search found. */
export async function withBestScales(
  problem: RoundingProblem,
  layer: LinearLayer,
  encoding: Encoding,
  errors: RowErrors,
  options: ScaleSearchOptions = {},
): Promise<{ problem: RoundingProblem; encoding: Encoding }> {
  const found = await searchScales(problem, layer, encoding, errors, options);
  return { problem: withEncoding(problem, layer, found), encoding: found };
}
