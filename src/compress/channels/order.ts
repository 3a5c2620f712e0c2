/**
 * In which order channels of a group go, and what each one costs.
 *
 *   magnitude   the squared norm of the weights that read it: AIMET's L2 rule
 *   moments     what is lost where all other weights take over as well as they can: with H = E[xxᵀ] of a reader's input and columns g
 *               of its weight, w_g·((H⁻¹)_gg)⁻¹·w_gᵀ for each output, after which w −= w_g·((H⁻¹)_gg)⁻¹·(H⁻¹)_g: (optimal brain surgeon,
 *               Hassibi and Stork, 1993, for blocks of columns; OSSCAR, Meng et al., 2024). Several readers of a group add up.
 */
import { choleskyLower, invert } from "../../methods/inner.ts";
import { solveRows } from "../dense/solve.ts";

/** A layer that reads the channels of a group. */
export interface Reader {
  readonly outputs: number;
  readonly columns: number;
  /** [outputs, columns] */
  readonly weight: Float64Array;
  /** For each class, the columns that read it; a class that the layer does not read has none. */
  readonly columnsOf: ReadonlyMap<number, readonly number[]>;
  /** [columns, columns], damped; null: inputs are taken for white noise, and nothing takes over. */
  readonly h: Float64Array | null;
  /** [outputs] */
  readonly importance: Float64Array;
}

export interface Removal {
  readonly channel: number;
  /** Expected loss when this and all channels before it are gone. */
  readonly loss: number;
}

/** The channels in the order in which they go, the last `least` left out. */
export function removalOrder(channels: readonly number[], readers: readonly Reader[], least = 1): Removal[] {
  const states = readers.map((reader) => new ReaderState(reader));
  const left = new Set(channels);
  const order: Removal[] = [];
  let loss = 0;
  while (left.size > least) {
    let best = { channel: -1, cost: Infinity };
    for (const channel of left) {
      let cost = 0;
      for (const state of states) {
        cost += state.cost(channel);
        if (cost >= best.cost) break;
      }
      if (cost < best.cost) best = { channel, cost };
    }
    const { channel } = best.channel < 0 ? { channel: [...left][0]! } : best;
    loss += Number.isFinite(best.cost) ? best.cost : 0;
    left.delete(channel);
    for (const state of states) state.remove(channel);
    order.push({ channel, loss });
  }
  return order;
}

class ReaderState {
  readonly #reader: Reader;
  readonly #weight: Float64Array;
  readonly #inverse: Float64Array | null;
  readonly #known = new Map<number, number>();

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#weight = reader.weight.slice();
    this.#inverse = reader.h && invert(reader.h, reader.columns);
  }

  cost(channel: number): number {
    const { columnsOf, outputs, importance } = this.#reader;
    const block = columnsOf.get(channel);
    if (!block) return 0;
    const known = this.#inverse ? undefined : this.#known.get(channel);
    if (known !== undefined) return known;
    const own = this.#block(block);
    const solved = this.#inverse ? solveRows(this.#factor(block), block.length, own) : own;
    let cost = 0;
    for (let o = 0, at = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < block.length; i++, at++) sum += own[at]! * solved[at]!;
      cost += importance[o]! * sum;
    }
    this.#known.set(channel, cost);
    return cost;
  }

  remove(channel: number): void {
    const { columnsOf, outputs, columns } = this.#reader;
    const block = columnsOf.get(channel);
    const inverse = this.#inverse;
    if (!block || !inverse) return;
    const size = block.length;
    const factor = this.#factor(block);
    // Rows g of H⁻¹, and ((H⁻¹)_gg)⁻¹ times them.
    const rows = new Float64Array(columns * size);
    for (let j = 0; j < columns; j++)
      for (let i = 0; i < size; i++) rows[j * size + i] = inverse[block[i]! * columns + j]!;
    const scaled = solveRows(factor, size, rows);
    const own = this.#block(block);
    for (let o = 0; o < outputs; o++)
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let i = 0; i < size; i++) sum += own[o * size + i]! * scaled[j * size + i]!;
        this.#weight[o * columns + j]! -= sum;
      }
    for (let a = 0; a < columns; a++)
      for (let i = 0; i < size; i++) {
        const factorHere = rows[a * size + i]!;
        if (factorHere === 0) continue;
        for (let b = 0; b < columns; b++) inverse[a * columns + b]! -= factorHere * scaled[b * size + i]!;
      }
    for (const j of block) for (let o = 0; o < outputs; o++) this.#weight[o * columns + j] = 0;
  }

  /** Columns g of the weight, [outputs, size]. */
  #block(block: readonly number[]): Float64Array {
    const { outputs, columns } = this.#reader;
    const own = new Float64Array(outputs * block.length);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < block.length; i++) own[o * block.length + i] = this.#weight[o * columns + block[i]!]!;
    return own;
  }

  #factor(block: readonly number[]): Float64Array {
    const { columns } = this.#reader;
    const size = block.length;
    const part = new Float64Array(size * size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) part[i * size + j] = this.#inverse![block[i]! * columns + block[j]!]!;
    return choleskyLower(part, size);
  }
}
