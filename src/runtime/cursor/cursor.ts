/**
 * The cursor: walks the float and the quantized model side by side, so that layer-wise and block-wise methods see the
 * activations of each layer without ever running the model from its start again. Cost is linear in depth.
 */
import { AvocetError, throwIfAborted, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { expectFullBatch, fixedBatch } from "../batch-size.ts";
import { feedsFor } from "../feeds.ts";
import type { Runtime, SessionOptions } from "../runtime.ts";
import { ActivationStore, Slot, type Spill } from "./activations.ts";
import { Walk } from "./walk.ts";

export interface CursorOptions extends Work {
  /** The float model. It is not edited. */
  readonly model: Model;
  /**
   * The model with quantizers, with the same inputs; edited by the caller ahead of the cursor (weights replaced, Q/DQ
   * inserted). Absent: only the float branch exists.
   */
  readonly quantized?: Model;
  readonly runtime: Runtime;
  readonly data: Dataset;
  /** Samples a run. Default 8; a model with a fixed batch keeps its own. */
  readonly batch?: number;
  /** Bytes of activations in memory, past which they go to disk. Default 1 GiB. */
  readonly memoryBudget?: number;
  /** Default: everything optimized, Q/DQ not fused (what the simulation of a plan is). */
  readonly session?: SessionOptions;
  /** Where activations go past the budget. Default: a temporary file in Node, nowhere in a browser. */
  readonly openSpill?: () => Promise<Spill>;
}

export interface Pair {
  readonly first: number;
  readonly size: number;
  readonly float: Tensor;
  readonly quantized: Tensor;
}

/** Both branches at one place; dispose it (`await using`): memory and disk are freed, after errors too. */
export interface Cursor extends AsyncDisposable {
  readonly float: Walk;
  /** The same as `float` when there is no quantized model. */
  readonly quantized: Walk;
  /** Samples that are walked with. */
  readonly samples: number;
  /** Advances both branches; the names may differ (a value and its dequantized form). See `Walk.advance`. */
  advance(float: readonly string[], quantized?: readonly string[]): Promise<void>;
  /** One value in both branches, batch by batch. */
  pairs(float: string, quantized?: string): AsyncIterable<Pair>;
}

/** Reads the data once and stands before the first node. Throws `data/none`, `data/wrong-inputs`. */
export async function openCursor(options: CursorOptions): Promise<Cursor> {
  const { model, quantized, runtime, data, memoryBudget = 2 ** 30, batch = 8 } = options;
  const { session = { fuseQdq: false } } = options;
  const openSpill = options.openSpill ?? (await import("#platform")).platform.openSpill;
  const store = new ActivationStore(memoryBudget, openSpill);
  try {
    const inputs = new Map<string, Slot>();
    const sizes: number[] = [];
    const fixed = fixedBatch(model, data.axes);
    for await (const { feeds, size } of data.batches(fixed ?? batch, options.signal)) {
      throwIfAborted(options);
      expectFullBatch(fixed, size, data);
      sizes.push(size);
      for (const [name, tensor] of Object.entries(feedsFor(model, feeds))) {
        const slot = inputs.get(name) ?? new Slot();
        inputs.set(name, slot);
        await store.put(slot, tensor, size);
      }
    }
    if (sizes.length === 0) {
      throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
    }
    if (quantized) for (const slot of inputs.values()) slot.owners = 2;
    const walk = (walked: Model) => new Walk(walked, runtime, session, store, inputs, sizes);
    const float = walk(model);
    return new TwoBranches(float, quantized ? walk(quantized) : float, store, sizes, options);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

class TwoBranches implements Cursor {
  readonly float: Walk;
  readonly quantized: Walk;
  readonly samples: number;
  readonly #store: ActivationStore;
  readonly #work: Work;

  constructor(float: Walk, quantized: Walk, store: ActivationStore, sizes: readonly number[], work: Work) {
    this.float = float;
    this.quantized = quantized;
    this.samples = sizes.reduce((sum, size) => sum + size, 0);
    this.#store = store;
    this.#work = work;
  }

  async advance(float: readonly string[], quantized = float): Promise<void> {
    await this.float.advance(float, { ...this.#work, step: "float activations" });
    if (this.quantized === this.float) return;
    await this.quantized.advance(quantized, { ...this.#work, step: "quantized activations" });
  }

  async *pairs(float: string, quantized = float): AsyncIterable<Pair> {
    const others = this.quantized.read([quantized], this.#work)[Symbol.asyncIterator]();
    for await (const { first, size, values } of this.float.read([float], this.#work)) {
      const other = await others.next();
      yield { first, size, float: values[float]!, quantized: other.value!.values[quantized]! };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
