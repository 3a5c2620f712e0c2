/** Stateful models (streaming audio, recurrent nets): each step's inputs with the states that the step before gave back. */
import { AvocetError, throwIfAborted } from "../base/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { checkedSize } from "./indexed.ts";
import { rebatch } from "./rebatch.ts";

export interface StateOptions {
  /** Runs the float model on one step. */
  readonly run: (feeds: Feeds) => Promise<Feeds>;
  /** By state input: the output that is its next value, and what it is when a sequence begins. */
  readonly states: Readonly<Record<string, { readonly output: string; readonly start: Tensor }>>;
  /** Whether a sequence begins with this step. Default: only the first does. */
  readonly begins?: (index: number) => boolean;
}

/**
 * The steps of sequences as samples of their own: the model is run through each sequence, and every step is given out
 * with the states it met, so that whatever works on samples works on a stateful model. Each pass runs the model again.
 * Throws `graph/not-found` for an output the model does not give, `usage/bad-value` for batches of states that have no
 * axis of samples in front.
 */
export function withStates(steps: Dataset, options: StateOptions): Dataset {
  const { run, states, begins = (index) => index === 0 } = options;
  const { count, source, origin } = steps;
  const start = Object.fromEntries(Object.entries(states).map(([input, state]) => [input, state.start]));

  async function* walk(signal: AbortSignal | undefined): AsyncGenerator<Feeds> {
    let current: Feeds = start;
    for await (const { feeds, first } of steps.batches(1, signal)) {
      throwIfAborted({ signal });
      if (begins(first)) current = start;
      const step = { ...feeds, ...current };
      yield step;
      const outputs = await run(step);
      current = Object.fromEntries(
        Object.entries(states).map(([input, { output }]) => [input, outputs[output] ?? absent(output, outputs)]),
      );
    }
  }
  async function* one(signal: AbortSignal | undefined): AsyncGenerator<Batch> {
    let first = 0;
    for await (const feeds of walk(signal)) yield { feeds, first: first++, size: 1 };
  }
  return {
    count,
    source,
    ...(origin && { origin }),
    batches(size, signal) {
      if (checkedSize(size) === 1) return one(signal);
      return rebatch(singles(walk(signal), source), size, source);
    },
  };
}

async function* singles(steps: AsyncIterable<Feeds>, at: string): AsyncGenerator<Feeds> {
  for await (const step of steps) {
    const layered = Object.entries(step).find(([, tensor]) => tensor.shape[0] !== 1);
    if (layered) {
      const got = `[${layered[1].shape.join(",")}]`;
      throw new AvocetError("usage/bad-value", `expected one sample on the first axis of "${layered[0]}", got ${got}`, {
        at,
        hint: "such a model takes one step at a time: --batch 1",
      });
    }
    yield step;
  }
}

function absent(output: string, outputs: Feeds): never {
  throw new AvocetError(
    "graph/not-found",
    `expected the output "${output}", got ${Object.keys(outputs).join(", ") || "none"}`,
  );
}
