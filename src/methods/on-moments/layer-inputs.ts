/**
 * The moments of one layer after another. The cursor starts to walk when the first moments are asked for: layers whose
 * solution is known from an earlier run are passed over, and walked only if a later one is not known.
 */

import type { Random } from "../../base/inner.ts";
import type { MatrixLayer } from "../../facts/inner.ts";
import { MomentGatherer, type Moments } from "../../quant/inner.ts";
import { type Cursor, type CursorOptions, openCursor, type Pair } from "../../runtime/inner.ts";

/** The names of a layer's input in the float and in the quantized model. */
export type InputNames = readonly [float: string, quantized: string];

export interface LayerInputsOptions {
  readonly cursor: CursorOptions;
  readonly random: Random;
  readonly threads?: number | undefined;
  /** Patch rows a column; see `MomentOptions`. */
  readonly rowsPerColumn?: number | undefined;
}

export class LayerInputs implements AsyncDisposable {
  readonly #options: LayerInputsOptions;
  readonly #passed: InputNames[] = [];
  #last: { readonly key: string; readonly moments: Moments } | null = null;
  #open: { readonly cursor: Cursor; readonly gatherer: MomentGatherer } | null = null;

  constructor(options: LayerInputsOptions) {
    this.#options = options;
  }

  /** A layer whose moments nobody needs. */
  pass(names: InputNames): void {
    this.#passed.push(names);
  }

  /**
   * The moments of a layer that lies ahead of those before. The cursor stops where it would have stopped without what was
   * passed over: cut elsewhere, pieces of the model would be optimised otherwise and differ in the last bit. `floatOnly`: as if nothing
   * before were quantized. Products that read one value after the other (the query, the key and the value of attention) get the same object.
   */
  async momentsOf(layer: MatrixLayer, names: InputNames, floatOnly = false): Promise<Moments> {
    const { cursor, gatherer } = await this.#opened();
    for (const [float, quantized] of [...this.#passed.splice(0), names]) await cursor.advance([float], [quantized]);
    const key = readsRows(layer) ? JSON.stringify([...names, layer.matrix.columns, floatOnly]) : "";
    if (key && this.#last?.key === key) return this.#last.moments;
    this.#last = null;
    const { random, rowsPerColumn, cursor: work } = this.#options;
    const pairs = floatOnly ? floatPairs(cursor.pairs(...names)) : cursor.pairs(...names);
    const moments = await gatherer.gather(layer, pairs, cursor.samples, random.fork(layer.weight.value.name), {
      signal: work.signal,
      ...(rowsPerColumn ? { rowsPerColumn } : {}),
    });
    this.#last = { key, moments };
    return moments;
  }

  async #opened() {
    if (this.#open) return this.#open;
    const { cursor: options, threads } = this.#options;
    const cursor = await openCursor(options);
    try {
      this.#open = { cursor, gatherer: await MomentGatherer.open(options.runtime, threads) };
    } catch (error) {
      await cursor[Symbol.asyncDispose]();
      throw error;
    }
    return this.#open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.gatherer[Symbol.asyncDispose]();
    await this.#open?.cursor[Symbol.asyncDispose]();
  }
}

/** Whether every row of the input is a patch: nothing but the value itself says what is seen. */
function readsRows({ node }: MatrixLayer): boolean {
  return node.op === "MatMul" || node.op === "Gemm";
}

async function* floatPairs(pairs: AsyncIterable<Pair>): AsyncGenerator<Pair> {
  for await (const pair of pairs) yield { ...pair, quantized: pair.float };
}
