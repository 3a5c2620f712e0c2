/**
 * What AIMET's SeqMSE judges apart, and what shares the result: the outputs of a channel under a scale per tensor or per channel, the
 * part that a block of the inputs adds to a channel under a scale per block (it runs each block as a product of its own).
 */
import type { MatrixLayer } from "../../facts/inner.ts";
import { type Encoding, endsOf, sliceCount } from "../../quant/inner.ts";
import { sizeOf } from "../../tensor/inner.ts";
import { leastError, sumRows } from "./least-error.ts";
import type { RoundingProblem } from "./rounding-problem.ts";
import type { JudgedRows, RowErrors, RowGrid } from "./row-errors.ts";
import { rowGrid, rowGroups } from "./scale-search.ts";

/** For every slice of the encodings the index of the candidate that it takes. */
export async function bestCandidates(
  problem: RoundingProblem,
  layer: MatrixLayer,
  candidates: readonly Encoding[],
  errors: RowErrors,
): Promise<Int32Array> {
  const [first] = candidates;
  const { granularity } = first!;
  if (granularity.kind === "block") return await bestOfBlocks(problem, layer, candidates, errors);
  const losses: Float32Array[] = [];
  for (const encoding of candidates) losses.push(await errors.ofNearest(problem, rowGrid(problem, layer, encoding)));
  // Per tensor each channel chooses, and the largest range of them holds all.
  if (granularity.kind === "tensor") return Int32Array.of(leastError(losses).reduce((a, b) => Math.max(a, b)));
  const { of, count } = rowGroups(layer, first!);
  return leastError(losses.map((rows) => sumRows(rows, of, count)));
}

async function bestOfBlocks(
  problem: RoundingProblem,
  layer: MatrixLayer,
  candidates: readonly Encoding[],
  errors: RowErrors,
): Promise<Int32Array> {
  const { blockOf, blocks, positions } = blocksOf(layer, candidates[0]!);
  const sliceOf = slicesOf(layer, candidates[0]!);
  const rows = problem.groups * problem.outputs;
  const { order, columns: width } = layer.matrix;
  const chosen = new Int32Array(rows * blocks);
  for (let block = 0; block < blocks; block++) {
    const columns = blockOf.flatMap((other, column) => (other === block ? [column] : []));
    const part = partOf(problem, columns);
    // One scale a row, unless the positions of a kernel have scales of their own.
    const scaled = positions === 1 ? columns.slice(0, 1) : columns;
    const slices = new Int32Array(rows * scaled.length);
    for (let row = 0, at = 0; row < rows; row++)
      for (const column of scaled) slices[at++] = sliceOf(order[row * width + column]!);
    const losses: Float32Array[] = [];
    for (const encoding of candidates) losses.push(await errors.ofNearest(part, gridOf(encoding, slices)));
    leastError(losses).forEach((best, row) => {
      chosen[row * blocks + block] = best;
    });
  }
  const best = new Int32Array(candidates[0]!.scale.length);
  order.forEach((place, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    best[sliceOf(place)] = chosen[row * blocks + blockOf[column]!]!;
  });
  return best;
}

/** The block along the input axis that each column of the matrix belongs to, and how many positions a kernel has. */
function blocksOf(layer: MatrixLayer, { granularity }: Encoding) {
  const { shape } = layer.weight.tensor;
  const { axis, size } = granularity as Extract<Encoding["granularity"], { kind: "block" }>;
  const inner = sizeOf(shape.slice(axis + 1));
  const blockOf = Array.from(layer.matrix.order.subarray(0, layer.matrix.columns), (place) =>
    Math.floor((Math.floor(place / inner) % shape[axis]!) / size),
  );
  return { blockOf, blocks: shape[axis]! / size, positions: inner };
}

/** The slice of an element by its place in the weight. */
function slicesOf(layer: MatrixLayer, { granularity }: Encoding): (place: number) => number {
  const { shape } = layer.weight.tensor;
  sliceCount(shape, granularity);
  const { axis, size } = granularity as Extract<Encoding["granularity"], { kind: "block" }>;
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis]!;
  return (place) => {
    const [outer, along] = [Math.floor(place / inner / length), Math.floor(place / inner) % length];
    return (outer * (length / size) + Math.floor(along / size)) * inner + (place % inner);
  };
}

/** The problem of some columns alone. */
function partOf(
  { groups, outputs, columns: width, weight, h, t }: RoundingProblem,
  columns: readonly number[],
): JudgedRows {
  const own = new Float64Array(groups * columns.length ** 2);
  let at = 0;
  for (let g = 0; g < groups; g++)
    for (const i of columns) for (const j of columns) own[at++] = h[(g * width + i) * width + j]!;
  const of = (values: Float64Array) => picked(values, width, columns);
  return { groups, outputs, columns: columns.length, weight: of(weight), h: own, t: of(t) };
}

/** The grid of these slices, in their order. */
function gridOf(encoding: Encoding, slices: Int32Array): RowGrid {
  const [scale, low, high] = [0, 1, 2].map(() => new Float32Array(slices.length)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let i = 0; i < slices.length; i++) {
    scale[i] = encoding.scale[slices[i]!]!;
    ({ low: low[i], high: high[i] } = endsOf(encoding, slices[i]));
  }
  return { scale, low, high };
}

function picked(values: Float64Array, width: number, columns: readonly number[]): Float64Array {
  const rows = values.length / width;
  const out = new Float64Array(rows * columns.length);
  for (let row = 0, at = 0; row < rows; row++) for (const column of columns) out[at++] = values[row * width + column]!;
  return out;
}
