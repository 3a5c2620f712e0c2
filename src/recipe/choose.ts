/**
 * Which steps of a recipe help: each is tried on four fifths of the data and scored on samples of the rest, then the whole is
 * tried without each preparation that helped by itself, because what helps plain rounding may be in the way of a better one. What
 * was chosen is then done with all of the data, so that choosing costs time but no samples.
 */
import { checkpointUnder, throwIfAborted } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { Candidate } from "./candidate.ts";
import type { Step } from "./methods.ts";
import { outputScorer, rememberedScorer } from "./output-scorer.ts";
import type { StepReport } from "./quantized.ts";
import { changeOf, isBetter, type Scorer } from "./scorer.ts";
import { type StageOptions, Stages, type StagesRun } from "./stages.ts";

export interface Verdict {
  readonly kept: boolean;
  /** What the trial did. */
  readonly report: StepReport;
  /** For people: kept or undone, and the figures. */
  readonly note: string;
}

export interface Choice {
  /** Of the steps that were tried. A step that is undone is as if it had not been there for those behind it. */
  readonly verdicts: ReadonlyMap<Step, Verdict>;
  /** The run of what was chosen, where a trial was already it. */
  readonly run?: StagesRun;
}

/**
 * What trials work with and what scores them: every fifth sample is set aside (all are used for both when there are fewer than ten), and at
 * most so many score: enough for an average over all elements of the outputs.
 */
export function setAside(data: Dataset, most = 64): { readonly trial: Dataset; readonly scored: Dataset } {
  if (data.count !== null && data.count < 10) return { trial: data, scored: data };
  return { trial: samples(data, "except-every:5"), scored: samples(samples(data, "every:5"), most) };
}

/** Tries each step of a recipe, in order, on the data of the run. */
export async function chooseSteps(
  source: Model,
  steps: readonly Step[],
  given: StageOptions & { readonly data: Dataset },
): Promise<Choice> {
  const checkpoint = given.options.checkpoint && checkpointUnder(given.options.checkpoint, "choose");
  const options = { ...given.options, ...(checkpoint ? { checkpoint } : {}) };
  const { trial, scored } = setAside(given.data);
  const { scorer, on } = scorerOf(source, scored, { ...given, options });
  const stagesOf = (name: string) => {
    const under = checkpoint ? { checkpoint: checkpointUnder(checkpoint, name) } : {};
    return new Stages({ ...given, data: trial, options: { ...options, ...under } });
  };
  const stages = stagesOf("with");
  let state = await stages.start({ source, prepared: source });
  let score = await scorer.score(new Candidate(state));
  const verdicts = new Map<Step, Verdict>();
  for (const step of steps) {
    throwIfAborted(options);
    const { state: next, report } = await stages.apply(step, state);
    const reached = await scorer.score(new Candidate(next));
    const kept = isBetter(reached, score, { orEqual: true });
    verdicts.set(step, { kept, report, note: `${kept ? "kept" : "undone"}: ${changeOf(score, reached)}${on}` });
    if (kept) [state, score] = [next, reached];
  }
  const isKept = (step: Step) => verdicts.get(step)!.kept;
  for (const step of steps) {
    // Where nothing is solved behind a preparation, the first trial has shown all.
    if (step.kind !== "prepare" || !isKept(step) || !steps.some((one) => one.kind === "solve" && isKept(one))) continue;
    throwIfAborted(options);
    const others = steps.filter((one) => one !== step && isKept(one));
    const without = await stagesOf(`without-${step.name}`).run(source, others);
    const reached = await scorer.score(new Candidate(without.state));
    if (!isBetter(reached, score)) continue;
    const note = `undone: ${changeOf(score, reached)}${on} when all else is done without it`;
    verdicts.set(step, { ...verdicts.get(step)!, kept: false, note });
    score = reached;
  }
  return { verdicts };
}

/** The program's scorer, else the outputs on samples set aside, and where that was for the notes. */
function scorerOf(
  float: Model,
  data: Dataset,
  { runtime, options }: StageOptions,
): { readonly scorer: Scorer; readonly on: string } {
  const { checkpoint, scorer, ...work } = options;
  const chosen = scorer ?? outputScorer({ float, runtime, data, ...work });
  return { scorer: rememberedScorer(chosen, checkpoint), on: scorer ? "" : " on samples set aside" };
}
