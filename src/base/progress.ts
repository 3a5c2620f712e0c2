/** Progress, abort and trace: what every long piece of work takes, and what it reports. */
import { AvocetError } from "./errors.ts";

export interface ProgressEvent {
  /** What is being done, for example "calibrate". */
  readonly step: string;
  readonly done: number;
  /** How much there is, or null where nobody knows. */
  readonly total: number | null;
  /** The layer, file or value in hand. */
  readonly detail?: string;
}

/** Options that every long function takes. */
export interface Work {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** Throws `abort/interrupted` once the signal has fired. Call it between short pieces of work. */
export function throwIfAborted(work: Work): void {
  if (work.signal?.aborted) throw new AvocetError("abort/interrupted", "interrupted", { cause: work.signal.reason });
}

/** Lets signals, timers and I/O run: `session.run` of ONNX Runtime in Node blocks the thread until it ends. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
