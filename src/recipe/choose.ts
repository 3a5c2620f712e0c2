/**
 * Which steps of a recipe help: each is tried on four fifths of the data and judged on samples of the rest, then the whole is
 * tried without each preparation that helped by itself, because what helps plain rounding may be in the way of a better one. What
 * was chosen is then done with all of the data, so that choosing costs time but no samples.
 */
import { checkpointUnder, throwIfAborted } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
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
  const trial = (name: string) => {
    const under = checkpoint ? { checkpoint: checkpointUnder(checkpoint, name) } : {};
    return new Stages({ ...given, data: judge.training, options: { ...options, ...under } });
  };
  const stages = trial("with");
  let state = await stages.start(float);
  let score = await judge.score(state);
  const verdicts: Verdict[] = [];
  for (const step of steps) {
    throwIfAborted(options);
    const { state: next, report } = await stages.apply(step, state);
    const reached = await judge.score(next);
    const kept = reached >= score;
    verdicts.push({ kept, report, note: `${kept ? "kept" : "undone"}: ${changed(score, reached)}` });
    if (kept) [state, score] = [next, reached];
  }
  const isKept = (_: Step, i: number) => verdicts[i]!.kept;
  for (const [i, step] of steps.entries()) {
    // Where nothing is solved behind a preparation, the first trial has told all.
    if (step.kind !== "prepare" || !isKept(step, i) || !steps.filter(isKept).some((one) => one.kind === "solve"))
      continue;
    throwIfAborted(options);
    const others = steps.filter((one, j) => j !== i && isKept(one, j));
    const without = await trial(`without-${step.name}`).run(float, others);
    const reached = await judge.score(without.state);
    if (reached <= score) continue;
    verdicts[i] = {
      ...verdicts[i]!,
      kept: false,
      note: `undone: ${changed(score, reached)} when all else is done without it`,
    };
    score = reached;
  }
  return verdicts;
}

function changed(before: number, after: number): string {
  return `output SQNR ${before.toFixed(2)} → ${after.toFixed(2)} dB on samples set aside`;
}
