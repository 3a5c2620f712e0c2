/** Progress for people on stderr: one line that redraws on a terminal, a line a step elsewhere, nothing when quiet. */
import type { ProgressEvent } from "../base/inner.ts";
import type { Io } from "./io.ts";

export interface ProgressView {
  show(event: ProgressEvent): void;
  /** Leaves the line as it is and goes on below it. */
  end(): void;
}

/**
 * Redraws at most every 80 ms; a step is named once where the line cannot be redrawn. `steps` are those of the command, in order: those
 * among them are numbered. `now` is the time in milliseconds.
 */
export function progressView(
  io: Io,
  quiet: boolean,
  steps: readonly string[] = [],
  now: () => number = () => performance.now(),
): ProgressView {
  if (quiet) return { show: () => {}, end: () => {} };
  let step = "";
  let last = 0;
  let first = { at: 0, done: 0 };
  // Printing anything, even nothing, ends the line that is being drawn.
  const end = () => {
    if (io.interactive) io.err("");
  };
  const numbered = (name: string) => {
    const at = steps.indexOf(name);
    return at < 0 ? name : `[${at + 1}/${steps.length}] ${name}`;
  };
  return {
    show(event) {
      if (!io.interactive) {
        if (event.step !== step) io.err(`${numbered(event.step)} …\n`);
        step = event.step;
        return;
      }
      const time = now();
      if (event.step !== step) {
        end();
        first = { at: time, done: event.done };
      }
      const finished = event.total !== null && event.done >= event.total;
      if (event.step === step && time - last < 80 && !finished) return;
      step = event.step;
      last = time;
      io.draw(line({ ...event, step: numbered(step) }, secondsLeft(event, first, time)));
    },
    end,
  };
}

/** What the rest takes at the speed so far; null in the first seconds, when nobody knows. */
function secondsLeft(
  { done, total }: ProgressEvent,
  first: { readonly at: number; readonly done: number },
  time: number,
): number | null {
  const seconds = (time - first.at) / 1000;
  if (total === null || seconds < 2 || done <= first.done || done >= total) return null;
  return (seconds * (total - done)) / (done - first.done);
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function line({ step, done, total, detail }: ProgressEvent, left: number | null): string {
  const tail = `${left === null ? "" : `  ${duration(left)} left`}${detail ? `  ${detail}` : ""}`;
  if (total === null || total === 0) return `${step} ${done}${tail}`.slice(0, 100);
  const filled = Math.round((20 * Math.min(done, total)) / total);
  return `${step.padEnd(14)} ${"█".repeat(filled)}${"░".repeat(20 - filled)} ${done}/${total}${tail}`.slice(0, 100);
}
