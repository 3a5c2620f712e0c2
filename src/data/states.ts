/** Stateful models (streaming audio, recurrent nets): each step's inputs with the states that the step before returned. */
import { AvocetError, throwIfAborted, type Work } from "../base/inner.ts";
import type { Feeds, Tensor } from "../tensor/inner.ts";
import { type Dataset, type IndexedDataset, type SampleAxes, traitsOf } from "./dataset.ts";
import { checkedSize, indexedDataset } from "./indexed.ts";
import { rebatch } from "./rebatch.ts";
import { joinFeeds } from "./rows.ts";

export interface State {
  /** The output that is the next value of this input. */
  readonly output: string;
  /** What the input is when a sequence begins. */
  readonly start: Tensor;
  /** The axis that counts samples. Default: the first where it has length 1, else the only one that has; else none. */
  readonly axis?: number | null;
}

export interface StateOptions {
  /** Runs the float model on one step. */
  readonly run: (feeds: Feeds) => Promise<Feeds>;
  /** By state input. */
  readonly states: Readonly<Record<string, State>>;
  /** Whether a sequence begins with this step. Default: only the first does. */
  readonly begins?: (index: number) => boolean;
}

/** Bytes of states that are kept; a state of 1 kB allows a million steps. */
const mostBytes = 2 ** 30;

/**
 * The steps of sequences as samples of their own: the model is run through each sequence, and every step is given out
 * with the states it met, so that whatever works on samples works on a stateful model. Steps are put together in one
 * batch along the axes of their states; states without such an axis, and states that grow, go one by one. Each pass
 * runs the model again. Throws `graph/not-found` for an output the model does not give.
 */
export function withStates(steps: Dataset, options: StateOptions): Dataset {
  const { count, source } = steps;
  const axes = axesOf(steps, options);
  async function* walked(signal: AbortSignal | undefined): AsyncGenerator<Feeds> {
    for await (const { feeds, states } of walk(steps, options, signal)) yield { ...feeds, ...states };
  }
  return {
    ...traitsOf(steps),
    axes,
    count,
    source,
    batches: (size, signal) => rebatch(walked(signal), checkedSize(size), source, axes),
  };
}

/**
 * The same with the states of every step kept, so that the model is run through the sequences once and samples can be
 * read in any order. Throws `data/too-large` when the states of all steps need more than a gigabyte.
 */
export async function recordStates(
  steps: IndexedDataset,
  options: StateOptions,
  work: Work = {},
): Promise<IndexedDataset> {
  const { count, source } = steps;
  const axes = axesOf(steps, options);
  const kept: Feeds[] = [];
  let bytes = 0;
  for await (const { states } of walk(steps, options, work.signal)) {
    for (const tensor of Object.values(states)) bytes += tensor.byteLength;
    if (bytes > mostBytes) {
      throw new AvocetError("data/too-large", `expected states of at most ${mostBytes} bytes, got more`, {
        at: `${source}, step ${kept.length}`,
        hint: `give fewer steps: "${source}?first=${kept.length}"`,
      });
    }
    kept.push(states);
    work.onProgress?.({ step: "states", done: kept.length, total: count });
  }
  const fixed = kept.every((states) =>
    Object.entries(states).every(([name, { shape }]) => alike(shape, kept[0]![name]!)),
  );
  const single = Object.keys(options.states).some((name) => axes[name] === null) || !fixed;
  return indexedDataset({
    ...traitsOf(steps),
    ...(single && { most: 1 }),
    axes,
    count,
    source,
    async read(indices, signal) {
      const feeds = await steps.read(indices, signal);
      const states = joinFeeds(
        indices.map((index) => kept[index]!),
        source,
        axes,
      );
      return { ...feeds, ...states };
    },
  });
}

const alike = (shape: readonly number[], other: Tensor) => shape.join() === other.shape.join();

async function* walk(
  steps: Dataset,
  { run, states, begins = (index) => index === 0 }: StateOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly feeds: Feeds; readonly states: Feeds }> {
  const start = Object.fromEntries(Object.entries(states).map(([input, state]) => [input, state.start]));
  let current: Feeds = start;
  for await (const { feeds, first } of steps.batches(1, signal)) {
    throwIfAborted({ signal });
    if (begins(first)) current = start;
    yield { feeds, states: current };
    const outputs = await run({ ...feeds, ...current });
    current = Object.fromEntries(
      Object.entries(states).map(([input, { output }]) => [input, outputs[output] ?? absent(output, outputs)]),
    );
  }
}

function axesOf(steps: Dataset, { states }: StateOptions): SampleAxes {
  const own = Object.entries(states).map(([name, { axis, start }]) => [
    name,
    axis === undefined ? onlyOne(start) : axis,
  ]);
  return { ...steps.axes, ...Object.fromEntries(own) };
}

function onlyOne({ shape }: Tensor): number | null {
  if (shape[0] === 1) return 0;
  const ones = shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  return ones.length === 1 ? ones[0]! : null;
}

function absent(output: string, outputs: Feeds): never {
  throw new AvocetError(
    "graph/not-found",
    `expected the output "${output}", got ${Object.keys(outputs).join(", ") || "none"}`,
    { at: output, hint: "a state names the output that is its next value" },
  );
}
