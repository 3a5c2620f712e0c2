/** Progress for people on stderr: one line that redraws on a terminal, a line a step elsewhere, nothing when quiet. */
import type { ProgressEvent } from "../base/inner.ts";
import type { Io } from "./io.ts";

export interface ProgressView {
  show(event: ProgressEvent): void;
  /** Leaves the line as it is and goes on below it. */
  end(): void;
}

/** Redraws at most every 80 ms; a step is named once where the line cannot be redrawn. */
export function progressView(io: Io, quiet: boolean): ProgressView {
  if (quiet) return { show: () => {}, end: () => {} };
  let step = "";
  let last = 0;
  // Printing anything, even nothing, ends the line that is being drawn.
  const end = () => {
    if (io.interactive) io.err("");
  };
  return {
    show(event) {
      if (!io.interactive) {
        if (event.step !== step) io.err(`${event.step} …\n`);
        step = event.step;
        return;
      }
      if (event.step !== step) end();
      const now = performance.now();
      const finished = event.total !== null && event.done >= event.total;
      if (event.step === step && now - last < 80 && !finished) return;
      step = event.step;
      last = now;
      io.draw(line(event));
    },
    end,
  };
}

function line({ step, done, total, detail }: ProgressEvent): string {
  const tail = detail ? `  ${detail}` : "";
  if (total === null || total === 0) return `${step} ${done}${tail}`.slice(0, 100);
  const filled = Math.round((20 * Math.min(done, total)) / total);
  return `${step.padEnd(14)} ${"█".repeat(filled)}${"░".repeat(20 - filled)} ${done}/${total}${tail}`.slice(0, 100);
}
