/** The samples of a block in both branches: drawn at random to train on, and in order to judge by. */
import type { Random } from "../../base/inner.ts";
import { type Cursor, joinSamples } from "../../runtime/inner.ts";
import type { Feeds, Tensor } from "../../tensor/inner.ts";

export interface BlockNames {
  /** Inputs of the piece: their names in the quantized branch. */
  readonly inputs: readonly string[];
  /** Inputs that have a counterpart in the float branch: name in the piece → name in the float model. */
  readonly float: ReadonlyMap<string, string>;
  /** What a step gets of the float branch: nothing, its values as inputs of their own, or in place of the quantized ones. */
  readonly mode: "quantized" | "mixed" | "float";
  /** Values of the float model that the block aims at: name in the float model → name as an input. */
  readonly targets: ReadonlyMap<string, string>;
}

/** Every fifth batch is kept for judging. */
const aside = 5;

/** The numbers of the batches that are not trained on; with fewer than five all serve for both. */
export function batchesAside(sizes: readonly number[]): number[] {
  const all = sizes.map((_, i) => i);
  return all.length < aside ? all : all.filter((i) => i % aside === aside - 1);
}

export class BlockSamples {
  readonly #cursor: Cursor;
  readonly #names: BlockNames;
  readonly #training: readonly number[];
  readonly #judging: readonly number[];
  readonly #parts: number;

  /** `batch`: samples of a step, made of whole batches of the cursor that have the usual size. */
  constructor(cursor: Cursor, names: BlockNames, batch: number) {
    this.#cursor = cursor;
    this.#names = names;
    const { sizes } = cursor.float;
    const usual = sizes[0]!;
    const all = sizes.map((_, i) => i);
    this.#judging = batchesAside(sizes);
    const held = new Set(this.#judging.length < all.length ? this.#judging : []);
    const training = all.filter((i) => sizes[i] === usual && !held.has(i));
    this.#training = training;
    this.#parts = Math.max(1, Math.min(Math.floor(batch / usual), training.length));
  }

  /** Inputs and targets of a step: different batches, drawn by the stream. */
  async draw(random: Random): Promise<Feeds> {
    const { float, mode } = this.#names;
    const order = random.permutation(this.#training.length);
    const parts: Feeds[] = [];
    // A value whose first axis is not that of the samples cannot be joined to others.
    const usual = this.#cursor.float.sizes[0];
    const isJoined = () => Object.values(parts[0]!).every(({ shape }) => shape[0] === usual);
    for (let i = 0; i < this.#parts && (i === 0 || isJoined()); i++) {
      const batch = this.#training[order[i]!]!;
      const feeds = await this.#feeds(batch);
      const others = mode === "quantized" ? {} : await this.#cursor.float.batch([...float.values()], batch);
      for (const [piece, name] of mode === "quantized" ? [] : float)
        feeds[mode === "float" ? piece : floatInput(piece)] = others[name]!;
      parts.push(feeds);
    }
    return Object.fromEntries(
      Object.keys(parts[0]!).map((name) => [name, joinSamples(parts.map((part) => part[name]!))]),
    );
  }

  /** What was kept for judging, with the quantized branch's inputs. */
  async *judging(): AsyncIterable<{ readonly feeds: Feeds; readonly size: number }> {
    for (const i of this.#judging) yield { feeds: await this.#feeds(i), size: this.#cursor.float.sizes[i]! };
  }

  async #feeds(batch: number): Promise<Record<string, Tensor>> {
    const { inputs, targets } = this.#names;
    const quantized = await this.#cursor.quantized.batch(inputs, batch);
    const wanted = await this.#cursor.float.batch([...targets.keys()], batch);
    const feeds: Record<string, Tensor> = { ...quantized };
    for (const [name, target] of targets) feeds[target] = wanted[name]!;
    return feeds;
  }
}

/** Name of the input of a piece that takes the float branch's value. */
export function floatInput(name: string): string {
  return `${name} in float`;
}
