/**
 * Which steps of a recipe help: each is tried on four fifths of the data and judged on samples of the rest. What was chosen is
 * then done with all of the data, so that choosing costs time but no samples.
 */
import { checkpointUnder, throwIfAborted } from "../base/index.ts";
import type { Model } from "../ir/index.ts";
import { judgeOn } from "./judge.ts";
import type { Step } from "./methods.ts";
import type { StepReport } from "./quantized.ts";
import { type StageOptions, Stages } from "./stages.ts";

export interface Verdict {
  readonly kept: boolean;
  /** What the trial did. */
  readonly report: StepReport;
  /** For people: kept or undone, and the figures. */
  readonly note: string;
}

/** A verdict for each step, in order. A step that is undone is as if it had not been there for those behind it. */
export async function chooseSteps(float: Model, steps: readonly Step[], given: StageOptions): Promise<Verdict[]> {
  const checkpoint = given.options.checkpoint && checkpointUnder(given.options.checkpoint, "choose");
  const options = { ...given.options, ...(checkpoint ? { checkpoint } : {}) };
  const judge = await judgeOn(float, given.data, given.runtime, options);
  const stages = new Stages({ ...given, data: judge.training, options });
  let state = await stages.start(float);
  let score = await judge.score(state);
  const verdicts: Verdict[] = [];
  for (const step of steps) {
    throwIfAborted(options);
    const { state: next, report } = await stages.apply(step, state);
    const reached = await judge.score(next);
    const kept = reached >= score;
    const change = `output SQNR ${score.toFixed(2)} → ${reached.toFixed(2)} dB on samples set aside`;
    verdicts.push({ kept, report, note: `${kept ? "kept" : "undone"}: ${change}` });
    if (kept) [state, score] = [next, reached];
  }
  return verdicts;
}
