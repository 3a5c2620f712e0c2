/**
 * Moments of a linear layer's input patches (docs/architecture.md, idea 4). With float inputs x, inputs x̂ of the
 * quantized prefix and D = Ŵ − W, the reconstruction error over all data is, at the best bias,
 *
 *   E‖Wx + b − Ŵx̂ − b̂‖² = tr(D H Dᵀ) + 2 tr(D R Wᵀ) + const,   b̂ = b + W m − Ŵ m̂
 *
 * with centred H = Cov(x̂, x̂), R = Cov(x̂, x̂ − x) and the means m, m̂. Products run in the runtime in float32 on a few
 * thousand rows at a time; their sums are kept in float64.
 */

import { AvocetError, type Random, throwIfAborted, type Work } from "../../base/inner.ts";
import type { MatrixLayer } from "../../facts/inner.ts";
import { addNode, Graph, Model, tensorType } from "../../ir/inner.ts";
import type { Pair, Runtime, Session } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { PatchRows, samplePatches } from "./patches.ts";

export interface Moments {
  readonly groups: number;
  readonly columns: number;
  /** [groups, columns, columns], centred. */
  readonly h: Float64Array;
  /** [groups, columns, columns], centred: rows belong to x̂, columns to x̂ − x. */
  readonly r: Float64Array;
  /** [groups, columns]: means of the float and of the quantized inputs. */
  readonly mean: Float64Array;
  readonly quantizedMean: Float64Array;
  /** Patch rows that were seen. */
  readonly rows: number;
  /** Standard error of H from sampling, relative (Frobenius): half the difference of two halves of the data. */
  readonly samplingError: number;
}

/** The same moments around zero instead of around the means: E[x̂x̂ᵀ] and E[x̂(x̂ − x)ᵀ], which judge a layer whose bias stays as it is. */
export function aroundZero(moments: Moments): Moments {
  const { groups, columns, mean, quantizedMean } = moments;
  const [h, r] = [moments.h.slice(), moments.r.slice()];
  for (let g = 0, at = 0; g < groups; g++) {
    const [float, own] = [mean, quantizedMean].map((all) => all.subarray(g * columns, (g + 1) * columns)) as [
      Float64Array,
      Float64Array,
    ];
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++, at++) {
        h[at]! += own[i]! * own[j]!;
        r[at]! += own[i]! * (own[j]! - float[j]!);
      }
    }
  }
  return { ...moments, h, r };
}

export interface MomentOptions extends Work {
  /** Patch rows per column of the layer; 50 leave about 2 % of sampling error. Infinity: every position. Default 50. */
  readonly rowsPerColumn?: number;
}

/** Rows that even the smallest layer gets: a depthwise kernel has nine columns, and needs more than 450 rows. */
const fewestRows = 4096;

/** Rows of one product: long ones lose digits in float32 and block the thread, short ones waste time on their results. */
const capacityOf = ({ matrix: { groups, columns } }: MatrixLayer) =>
  Math.max(256, Math.floor(2 ** 21 / (groups * columns)));

/** Gathers the moments of layers, one after the other, in one session. */
export class MomentGatherer implements AsyncDisposable {
  readonly #session: Session;
  /** Patches of both branches for both halves of the data, used again by every layer. */
  #buffers: Float32Array[] = [];

  private constructor(session: Session) {
    this.#session = session;
  }

  static async open(runtime: Runtime, threads?: number): Promise<MomentGatherer> {
    return new MomentGatherer(await runtime.open(products(), threads === undefined ? {} : { threads }));
  }

  /** The moments of one layer from its inputs in both branches; `samples` says how many there are in all. */
  async gather(
    layer: MatrixLayer,
    pairs: AsyncIterable<Pair>,
    samples: number,
    random: Random,
    options: MomentOptions = {},
  ): Promise<Moments> {
    const { groups, columns } = layer.matrix;
    const wanted = Math.max(fewestRows, (options.rowsPerColumn ?? 50) * columns);
    const perSample = Math.ceil(wanted / samples);
    const halves = [new Sums(groups, columns), new Sums(groups, columns)] as const;
    const patches = this.#patchRows(layer);
    let batch = 0;
    for await (const pair of pairs) {
      throwIfAborted(options);
      const half = batch++ % 2;
      for (const full of samplePatches(layer, pair, perSample, random, patches[half]!)) {
        await this.#add(halves[half]!, full);
      }
    }
    for (const [half, rest] of patches.entries()) await this.#add(halves[half]!, rest);
    if (batch === 0)
      throw new AvocetError("data/none", "expected at least one sample, got none", { at: `${layer.node}` });
    const error = batch < 2 ? Number.NaN : halfDifference(halves[0], halves[1]);
    return halves[0].plus(halves[1]).centred(error);
  }

  #patchRows(layer: MatrixLayer): readonly [PatchRows, PatchRows] {
    const capacity = capacityOf(layer);
    const size = layer.matrix.groups * layer.matrix.columns * capacity;
    if ((this.#buffers[0]?.length ?? 0) < size) this.#buffers = [0, 1, 2, 3].map(() => new Float32Array(size));
    const [a, b, c, d] = this.#buffers as [Float32Array, Float32Array, Float32Array, Float32Array];
    return [new PatchRows(layer, capacity, [a, b]), new PatchRows(layer, capacity, [c, d])];
  }

  /** Adds the products of all rows, and empties them. */
  async #add(sums: Sums, patches: PatchRows): Promise<void> {
    const { rows, float, quantized } = patches;
    if (rows === 0) return;
    const { h, r, mean, float_mean } = await this.#session.run({
      a: patches.tensor(quantized),
      b: patches.tensor(float),
    });
    sums.add(h!.floats(), r!.floats(), mean!.floats(), float_mean!.floats(), rows);
    patches.rows = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** a = x̂, b = x, both [groups, rows, columns] → aᵀa, aᵀ(a − b), and the sums of a and b over the rows. */
function products(): Model {
  const graph = new Graph("moments");
  const type = tensorType("float32", ["groups", "rows", "columns"]);
  const [a, b] = [graph.addInput("a", type), graph.addInput("b", type)];
  const transposed = addNode(graph, "Transpose", [a], { perm: [0, 2, 1] }).output;
  const difference = addNode(graph, "Sub", [a, b]).output;
  const rows = graph.addInitializer("rows_axis", Tensor.int64([1], [1]));
  const outputs = [
    addNode(graph, "MatMul", [transposed, a], {}, { output: "h" }).output,
    addNode(graph, "MatMul", [transposed, difference], {}, { output: "r" }).output,
    addNode(graph, "ReduceSum", [a, rows], { keepdims: 0 }, { output: "mean" }).output,
    addNode(graph, "ReduceSum", [b, rows], { keepdims: 0 }, { output: "float_mean" }).output,
  ];
  for (const output of outputs) {
    output.type = tensorType(
      "float32",
      output.name === "h" || output.name === "r" ? ["groups", "columns", "columns"] : ["groups", "columns"],
    );
    graph.addOutput(output);
  }
  return new Model(graph, [["", 21]]);
}

/** Plain sums in float64, before centring. */
class Sums {
  readonly groups: number;
  readonly columns: number;
  readonly h: Float64Array;
  readonly r: Float64Array;
  readonly quantized: Float64Array;
  readonly float: Float64Array;
  rows = 0;

  constructor(groups: number, columns: number) {
    this.groups = groups;
    this.columns = columns;
    this.h = new Float64Array(groups * columns * columns);
    this.r = new Float64Array(groups * columns * columns);
    this.quantized = new Float64Array(groups * columns);
    this.float = new Float64Array(groups * columns);
  }

  add(
    h: ArrayLike<number>,
    r: ArrayLike<number>,
    quantized: ArrayLike<number>,
    float: ArrayLike<number>,
    rows: number,
  ): void {
    accumulate(this.h, h);
    accumulate(this.r, r);
    accumulate(this.quantized, quantized);
    accumulate(this.float, float);
    this.rows += rows;
  }

  plus(other: Sums): Sums {
    const all = new Sums(this.groups, this.columns);
    for (const { h, r, quantized, float, rows } of [this, other]) all.add(h, r, quantized, float, rows);
    return all;
  }

  centred(samplingError: number): Moments {
    const { groups, columns, rows } = this;
    const mean = this.float.map((sum) => sum / rows);
    const quantizedMean = this.quantized.map((sum) => sum / rows);
    const h = new Float64Array(this.h.length);
    const r = new Float64Array(this.r.length);
    for (let g = 0, at = 0; g < groups; g++) {
      for (let i = 0; i < columns; i++) {
        const own = quantizedMean[g * columns + i]!;
        for (let j = 0; j < columns; j++, at++) {
          const other = quantizedMean[g * columns + j]!;
          h[at] = this.h[at]! / rows - own * other;
          r[at] = this.r[at]! / rows - own * (other - mean[g * columns + j]!);
        }
      }
    }
    return { groups, columns, h, r, mean, quantizedMean, rows, samplingError };
  }
}

function accumulate(into: Float64Array, values: ArrayLike<number>): void {
  for (let i = 0; i < into.length; i++) into[i] = into[i]! + values[i]!;
}

/** ‖H₁ − H₂‖ / (2 ‖H‖): the spread of two halves reports the standard error of the whole. */
function halfDifference(a: Sums, b: Sums): number {
  const [x, y] = [a.centred(0).h, b.centred(0).h];
  let difference = 0;
  let size = 0;
  for (let i = 0; i < x.length; i++) {
    difference += (x[i]! - y[i]!) ** 2;
    size += ((x[i]! + y[i]!) / 2) ** 2;
  }
  return Math.sqrt(difference / Math.max(size, Number.MIN_VALUE)) / 2;
}
