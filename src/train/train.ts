/** The training loop: epochs of shuffled batches, with progress, abort, checkpoints and resume. */
import {
  AvocetError,
  breathe,
  type Checkpoint,
  packRecord,
  Random,
  throwIfAborted,
  unpackRecord,
  type Work,
} from "../base/inner.ts";
import type { IndexedDataset } from "../data/inner.ts";
import type { Augment } from "./augment.ts";
import type { Trainer } from "./trainer.ts";

export interface EpochReport {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps made so far. */
  readonly steps: number;
  /** Mean over the steps of this epoch. */
  readonly loss: number;
}

export interface TrainOptions extends Work {
  /** Inputs and targets by name; see `labelled` and `shuffled`. */
  readonly data: IndexedDataset;
  readonly epochs: number;
  /** Decides the order of samples and the augmentation. Default 0. */
  readonly seed?: number;
  readonly augment?: Augment;
  /** Called after each epoch: to judge the model so far (`trainer.parameters()`), or to tell someone. */
  readonly onEpoch?: (report: EpochReport) => void | Promise<void>;
  /** Where the state is kept; a run that finds one there goes on with it. */
  readonly checkpoint?: Checkpoint;
  /** Steps from one save to the next. Default: those of an epoch. An abort saves too. */
  readonly saveEvery?: number;
}

export interface TrainResult {
  readonly steps: number;
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
}

/** Steps of one pass over so many samples: whole batches, at least one. */
export function stepsPerEpoch(samples: number, batch: number): number {
  return Math.max(1, Math.floor(samples / batch));
}

/**
 * Trains until `epochs` are over. Each epoch sees the samples in an order of its own; what is left of a batch at the end is left out that
 * time, and less data than a batch is repeated to fill it. Order and augmentation of a step follow from the seed and its
 * number, so a run that was interrupted and goes on from its checkpoint returns the bytes of one that was not. Throws
 * `abort/interrupted`, `data/not-finite`, and what the data throws.
 */
export async function train(trainer: Trainer, options: TrainOptions): Promise<TrainResult> {
  const { data, epochs, augment, checkpoint, signal } = options;
  const loop = new Loop(options.seed ?? 0, data.count, trainer.batch);
  const total = epochs * loop.stepsPerEpoch;
  const every = options.saveEvery ?? loop.stepsPerEpoch;
  const losses = await resumed(trainer, checkpoint, total);
  const save = async () => {
    await checkpoint?.save(key, packRecord({ facts: { losses }, arrays: { trainer: trainer.save() } }));
  };
  let unsaved = false;
  while (trainer.steps < total) {
    if (signal?.aborted && unsaved) await save();
    throwIfAborted(options);
    const { steps } = trainer;
    const feeds = await data.read(loop.samples(steps), signal);
    const { loss } = await trainer.step(augment ? augment(feeds, loop.random(`step ${steps}`)) : feeds);
    losses.push(loss);
    options.onProgress?.({ step: "train", done: steps + 1, total, detail: `loss ${loss.toPrecision(4)}` });
    if (trainer.steps % loop.stepsPerEpoch === 0) {
      const epoch = trainer.steps / loop.stepsPerEpoch;
      const report = { epoch, epochs, steps: trainer.steps, loss: mean(losses.slice(-loop.stepsPerEpoch)) };
      await options.onEpoch?.(report);
    }
    unsaved = trainer.steps % every !== 0 && trainer.steps !== total;
    if (!unsaved) await save();
    await breathe();
  }
  const perEpoch = Array.from({ length: epochs }, (_, epoch) =>
    mean(losses.slice(epoch * loop.stepsPerEpoch, (epoch + 1) * loop.stepsPerEpoch)),
  );
  return { steps: trainer.steps, losses: perEpoch };
}

const key = "training";

/** Takes up what a checkpoint holds; returns the loss of each step so far. */
async function resumed(trainer: Trainer, checkpoint: Checkpoint | undefined, total: number): Promise<number[]> {
  const saved = await checkpoint?.load(key);
  if (!saved) return [];
  const { facts, arrays } = unpackRecord(saved);
  trainer.restore(arrays.trainer as Uint8Array);
  if (trainer.steps > total) {
    throw new AvocetError("resume/other-run", `expected at most ${total} steps, the checkpoint has ${trainer.steps}`);
  }
  return [...(facts as { readonly losses: number[] }).losses];
}

/** Which samples a step sees, as a function of the seed and the step's number alone. */
class Loop {
  readonly stepsPerEpoch: number;
  readonly #seed: number;
  readonly #count: number;
  readonly #batch: number;
  #order: { readonly epoch: number; readonly samples: Uint32Array } | null = null;

  constructor(seed: number, count: number, batch: number) {
    this.#seed = seed;
    this.#count = count;
    this.#batch = batch;
    this.stepsPerEpoch = stepsPerEpoch(count, batch);
  }

  random(name: string): Random {
    return new Random(this.#seed).fork(name);
  }

  samples(step: number): number[] {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, samples: this.random(`epoch ${epoch}`).permutation(this.#count) };
    }
    const { samples } = this.#order;
    const first = (step % this.stepsPerEpoch) * this.#batch;
    return Array.from({ length: this.#batch }, (_, i) => samples[(first + i) % this.#count]!);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
