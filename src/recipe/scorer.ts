/** What candidates are worth: scored here, in another thread, or by several of them at once. */
import { evaluate, type Metric } from "../analysis/inner.ts";
import { AvocetError, type ErrorCode, expectArguments, type Work } from "../base/inner.ts";
import type { AnyLabels, Dataset } from "../data/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { Candidate } from "./candidate.ts";

export interface Score {
  readonly metric: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly value: number;
}

/** Whether the first is better than the second, and by `orEqual` whether it is at least as good. NaN is neither. */
export function isBetter(one: Score, other: Score, { orEqual = false } = {}): boolean {
  if (orEqual && one.value === other.value) return true;
  return one.better === "higher" ? one.value > other.value : one.value < other.value;
}

/** For people: "output SQNR 12.30 → 13.10 dB". */
export function changeOf(before: Score, after: Score): string {
  return `${after.metric} ${before.value.toFixed(2)} → ${after.value.toFixed(2)}${after.unit && ` ${after.unit}`}`;
}

export interface Scorer {
  /** Throws what opening and running the candidate throws. */
  score(candidate: Candidate): Promise<Score>;
}

export interface ScorerOptions extends Work {
  readonly runtime: Runtime;
  readonly data: Dataset;
  /** Makes a fresh metric for each candidate. */
  readonly metric: () => Metric;
  readonly labels?: AnyLabels | undefined;
  /** Samples a run. Default 10. */
  readonly batch?: number;
  readonly threads?: number;
  /** Whether the file is run as it ships, with integer kernels. Default true; false is the simulation. */
  readonly stock?: boolean;
}

/** Scores in this thread: the file that would ship, in a session of its own. */
export function localScorer(given: ScorerOptions): Scorer {
  const call = "localScorer(options)";
  expectArguments(call, { options: [given, "object"] });
  const { runtime, data, metric, threads, stock = true, ...options } = given;
  expectArguments(call, { runtime: [runtime, "runtime"], data: [data, "dataset"], metric: [metric, "function"] });
  return {
    async score(candidate) {
      const session = { ...(stock ? {} : { fuseQdq: false }), ...(threads ? { threads } : {}) };
      await using opened = await runtime.open(candidate.shipped(), session);
      const { metric: name, unit, better, value } = await evaluate(opened, data, metric(), options);
      return { metric: name, unit, better, value };
    },
  };
}

/** What is asked and answered through a port. */
type Question = { readonly id: number; readonly candidate: Uint8Array<ArrayBuffer> };
type Answer = { readonly id: number } & (
  | { readonly score: Score }
  | { readonly error: { readonly code: string; readonly message: string } }
);

/** The side that answers, in a worker: each candidate that comes through the port is scored. */
export function serveScorer(port: MessagePort, scorer: Scorer): void {
  port.addEventListener("message", async ({ data }: MessageEvent<Question>) => {
    const answer: Answer = await scorer.score(Candidate.from(data.candidate)).then(
      (score) => ({ id: data.id, score }),
      (error) => ({
        id: data.id,
        error: { code: AvocetError.is(error) ? error.code : "", message: `${error.message ?? error}` },
      }),
    );
    port.postMessage(answer);
  });
  port.start();
}

/**
 * The side that asks. Candidates are copied into the worker.
 *
 * @example
 * const { port1, port2 } = new MessageChannel();
 * new Worker("score-worker.js").postMessage(port2, [port2]); // there: serveScorer(port, localScorer(…))
 * const { value } = await scorerThrough(port1).score(candidate);
 */
export function scorerThrough(port: MessagePort): Scorer {
  const waiting = new Map<number, (answer: Answer) => void>();
  port.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  });
  port.start();
  let asked = 0;
  return {
    async score(candidate) {
      const id = asked++;
      const bytes = candidate.bytes();
      const answer = await new Promise<Answer>((resolve) => {
        waiting.set(id, resolve);
        port.postMessage({ id, candidate: bytes } satisfies Question, [bytes.buffer]);
      });
      if ("score" in answer) return answer.score;
      const { code, message } = answer.error;
      throw code === "" ? new Error(message) : new AvocetError(code as ErrorCode, message);
    },
  };
}

/** Several scorers as one: a candidate goes to the first that is free, the others wait in their order. Throws without one. */
export function scorerPool(scorers: readonly Scorer[]): Scorer {
  expectArguments("scorerPool(scorers)", { scorers: [scorers, "list"] });
  if (scorers.length === 0) throw new AvocetError("usage/bad-value", "expected at least one scorer, got none");
  const free = [...scorers];
  const waiting: ((scorer: Scorer) => void)[] = [];
  const take = async () => free.shift() ?? (await new Promise<Scorer>((resolve) => waiting.push(resolve)));
  const giveBack = (scorer: Scorer) => {
    const next = waiting.shift();
    if (next) next(scorer);
    else free.push(scorer);
  };
  return {
    async score(candidate) {
      const scorer = await take();
      try {
        return await scorer.score(candidate);
      } finally {
        giveBack(scorer);
      }
    },
  };
}
