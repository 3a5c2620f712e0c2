/** Scores as the documents of commands hold them: the samples to look at are in the report. */
import type { ScoreReport } from "../report/inner.ts";

export function scoreDocument({ examples, names, ...score }: ScoreReport): Omit<ScoreReport, "examples" | "names"> {
  return score;
}
