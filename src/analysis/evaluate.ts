/** Runs a model over data and lets metrics see its outputs. */
import { breathe, throwIfAborted, type Work } from "../base/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Session } from "../runtime/index.ts";
import type { Metric } from "./metric.ts";

export interface EvaluateOptions extends Work {
  /** Samples a run (default 10; a model with a fixed batch keeps its own). */
  readonly batch?: number;
}

export interface Evaluation {
  readonly metric: string;
  /** A fraction. */
  readonly value: number;
  readonly samples: number;
  readonly seconds: number;
}

/** The score of one session on the data. */
export async function evaluate(
  session: Session,
  data: Dataset,
  metric: Metric,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const start = performance.now();
  let samples = 0;
  for await (const batch of data.batches(batchOf(session, options.batch ?? 10), options.signal)) {
    throwIfAborted(options);
    metric.see(await session.run(batch.feeds), batch.first, batch.size);
    samples += batch.size;
    options.onProgress?.({ step: "evaluate", done: samples, total: data.count });
    await breathe();
  }
  return { metric: metric.name, value: metric.value(), samples, seconds: (performance.now() - start) / 1000 };
}

/** The batch a session takes: its own where the model fixes it, else the wanted one. */
export function batchOf(session: Session, wanted: number): number {
  for (const input of session.inputs) {
    const first = input.shape?.[0];
    if (typeof first === "number" && first > 0) return first;
  }
  return wanted;
}
