/**
 * Finds the scale of every slice of a weight on the moments: nearest rounding under each candidate, judged by the
 * reconstruction error. A candidate costs one small product, so that dozens are tried.
 */
import type { MatrixLayer } from "../../facts/inner.ts";
import {
  codecOf,
  type Encoding,
  encodeWeight,
  endsOf,
  forEachRun,
  inLevels,
  leastScales,
  type PlanEntry,
  shortWeightScale,
  steps,
} from "../../quant/inner.ts";
import { type RoundingProblem, withEncoding } from "./rounding-problem.ts";
import type { RowErrors, RowGrid } from "./row-errors.ts";

/** The encoding that just spans every slice of a layer's weight. */
export function spanningEncoding(layer: MatrixLayer, entry: PlanEntry): Encoding {
  return encodeWeight(layer.weight.tensor, entry, "minmax");
}

export interface ScaleSearchOptions {
  /** Fractions of the scale that just spans the slice. Default 41 from 0.25 to 1.05. */
  readonly factors?: readonly number[];
}

/** One side of a window is moved by so many steps; the other one stays, or goes with it. */
const windows: readonly (readonly [factor: number, shift: number])[] = [1, 0.95, 1.05].flatMap((factor) =>
  [-2, -1, 1, 2].map((shift) => [factor, shift] as const),
);

const usual = Array.from({ length: 41 }, (_, i) => 0.25 + 0.02 * i);

/**
 * The encoding with the best factor for every slice, and the problem on it. `spanning` is the encoding that spans all
 * weights (min-max); `given`, the one of the plan, is a candidate too. Where the grid need not be symmetric, windows that
 * lie a few steps higher or lower are tried around the best; a symmetric grid stays symmetric. Rows of one slice are judged together (per tensor: all); blocks within one row share the row's factor.
 */
export async function withBestScales(
  problem: RoundingProblem,
  layer: MatrixLayer,
  candidates: { readonly spanning: Encoding; readonly given: Encoding; readonly entry: PlanEntry },
  errors: RowErrors,
  options: ScaleSearchOptions = {},
): Promise<{ problem: RoundingProblem; encoding: Encoding }> {
  const { spanning, given } = candidates;
  const { shortScale: short } = candidates.entry;
  const floor = leastScales(candidates.entry, layer.weight.value, spanning);
  const allowed = (encoding: Encoding): Encoding =>
    floor ? { ...encoding, scale: encoding.scale.map((s, i) => Math.max(s, floor[i]!)) } : encoding;
  const owner = rowGroups(layer, spanning);
  const best = new Float64Array(owner.count).fill(Number.POSITIVE_INFINITY);
  const scale = [...given.scale];
  const offset = [...given.offset];
  const consider = async (encoding: Encoding) => {
    const rows = await errors.ofNearest(problem, rowGrid(problem, layer, encoding));
    const sums = new Float64Array(owner.count);
    rows.forEach((error, row) => {
      sums[owner.of[row]!]! += error;
    });
    const better = sums.map((sum, i) => (sum < best[i]! ? 1 : 0));
    owner.ofSlice.forEach((group, slice) => {
      if (better[group] === 0) return;
      scale[slice] = encoding.scale[slice]!;
      offset[slice] = encoding.offset[slice]!;
    });
    sums.forEach((sum, i) => {
      if (better[i] === 1) best[i] = sum;
    });
  };
  await consider(allowed(given));
  for (const factor of options.factors ?? usual) {
    await consider(
      allowed({
        ...spanning,
        scale: spanning.scale.map((s) => (short ? shortWeightScale(s * factor) : Math.fround(s * factor))),
      }),
    );
  }
  if (!candidates.entry.symmetric) {
    const top = steps(given.grid);
    for (const [factor, shift] of windows) {
      const moved = offset.map((o) => Math.min(0, Math.max(-top, o + shift)));
      await consider(allowed({ ...given, scale: scale.map((s) => Math.fround(s * factor)), offset: moved }));
    }
  }
  const { twoLevel } = candidates.entry;
  const found = { ...given, scale, offset };
  // AIMET's way: blocks are searched freely, and their scales become products then.
  const encoding = twoLevel ? inLevels(found, layer.weight.tensor.shape, twoLevel, codecOf(found.grid).bits) : found;
  return { problem: withEncoding(problem, layer, encoding), encoding };
}

/** The grid of every row; of every element where blocks share scales. */
export function rowGrid(problem: RoundingProblem, layer: MatrixLayer, encoding: Encoding): RowGrid {
  if (encoding.granularity.kind === "block") {
    const { scale, low, high } = withEncoding(problem, layer, encoding);
    return { scale: Float32Array.from(scale), low: Float32Array.from(low), high: Float32Array.from(high) };
  }
  const { of } = rowGroups(layer, encoding);
  return {
    scale: Float32Array.from(of, (slice) => encoding.scale[slice]!),
    low: Float32Array.from(of, (slice) => endsOf(encoding, slice).low),
    high: Float32Array.from(of, (slice) => endsOf(encoding, slice).high),
  };
}

/** Which rows are judged together, and which of these groups each slice belongs to. */
export function rowGroups(
  layer: MatrixLayer,
  encoding: Encoding,
): { count: number; of: Int32Array; ofSlice: Int32Array } {
  const rows = layer.axes.outputs;
  const slices = new Int32Array(layer.matrix.order.length);
  forEachRun(layer.weight.tensor.shape, encoding.granularity, (slice, start, end) => {
    slices.fill(slice, start, end);
  });
  const ofSlice = new Int32Array(encoding.scale.length);
  const of = new Int32Array(rows);
  if (encoding.granularity.kind === "block") {
    layer.matrix.order.forEach((place, i) => {
      ofSlice[slices[place]!] = Math.floor(i / layer.matrix.columns);
    });
    return { count: rows, of: of.map((_, row) => row), ofSlice };
  }
  for (let row = 0; row < rows; row++) of[row] = slices[layer.matrix.order[row * layer.matrix.columns]!]!;
  return { count: encoding.scale.length, of, ofSlice: ofSlice.map((_, slice) => slice) };
}
