/**
 * Whether what a preset decides is worth it: the steps run once, and the result is held against ranges alone on samples that deciding did
 * not see, sample by sample. Unless the gain is larger than its uncertainty, ranges alone ship. Preparations stay: they keep the function
 * of the float model and only make ranges narrower.
 */
import { meanInterval, outputSignals, sampleSqnrs } from "../analysis/inner.ts";
import { checkpointUnder, remembered } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { counterparts } from "../quant/inner.ts";
import { Candidate } from "./candidate.ts";
import { type Choice, setAside, type Verdict } from "./choose.ts";
import type { Step } from "./methods.ts";
import { changeOf, isBetter } from "./scorer.ts";
import { type StageOptions, Stages, type State } from "./stages.ts";

/** Samples that judge: pairs of the same sample are so much alike that these tell a tenth of a decibel. */
const most = 16;

/** Decibels beyond which outputs are equal: eight bits reach 50, and a saturated Softmax, which is exact, would outweigh all others. */
const exact = 60;

/** Runs the steps, those that solve on four fifths of the data, and takes them back where the rest shows no gain. */
export async function chooseWhole(
  source: Model,
  steps: readonly Step[],
  given: StageOptions & { readonly data: Dataset },
): Promise<Choice> {
  const { trial, scored } = setAside(given.data, most);
  const run = await new Stages({ ...given, solvedOn: trial }).run(source, steps);
  const solved = steps.filter((step) => step.kind === "solve" && run.reports.get(step)!.edits > 0);
  if (solved.length === 0) return { run, verdicts: new Map() };
  const { kept, figures } = await compared(run.ranged, run.state, scored, given);
  const note = `${kept ? "kept" : "undone"}: ${figures}`;
  const verdicts = new Map(
    solved.map((step): [Step, Verdict] => [step, { kept, note, report: run.reports.get(step)! }]),
  );
  if (kept) return { run, verdicts };
  const reports = new Map([...run.reports].filter(([step]) => !verdicts.has(step)));
  return { run: { ...run, state: run.ranged, reports }, verdicts };
}

/** By the program's scorer where there is one, else by how far the outputs are from float. */
async function compared(
  before: State,
  after: State,
  data: Dataset,
  given: StageOptions,
): Promise<{ readonly kept: boolean; readonly figures: string }> {
  const { scorer } = given.options;
  if (scorer) {
    const [one, other] = [await scorer.score(new Candidate(before)), await scorer.score(new Candidate(after))];
    return { kept: isBetter(other, one), figures: changeOf(one, other) };
  }
  const { checkpoint } = given.options;
  const rows = await remembered(checkpoint && checkpointUnder(checkpoint, "judged"), "decibels", async () => ({
    before: await decibels(before, data, given),
    after: await decibels(after, data, given),
  }));
  if (rows.before.length === 0) return { kept: false, figures: "no output is made of floats" };
  const gains = rows.after.map((value, i) => value - rows.before[i]!);
  const [low, high] = meanInterval(gains);
  // One sample has no interval: it decides by itself.
  const kept = gains.length === 1 ? gains[0]! > 0 : low > 0;
  const interval = gains.length === 1 ? "" : ` (gain ${low.toFixed(2)} … ${high.toFixed(2)} with 95 %)`;
  const change = `${mean(rows.before).toFixed(2)} → ${mean(rows.after).toFixed(2)} dB`;
  return { kept, figures: `output SQNR ${change}${interval}, mean of ${gains.length} samples set aside` };
}

/** The lowest SQNR of the outputs, for each sample. */
async function decibels(state: State, data: Dataset, { runtime, options }: StageOptions): Promise<number[]> {
  const { source, shapes } = state;
  const lowered = new Candidate(state).lowered();
  const pairs = counterparts(outputSignals(source, shapes), lowered);
  // Outputs that no float leads to cannot tell a gain.
  if (pairs.length === 0) return [];
  const { signal, onProgress, threads } = options;
  const work = { signal, onProgress, ...(threads ? { threads } : {}) };
  const found = await sampleSqnrs(source, lowered.model, pairs, runtime, data, work);
  return found.map((value) => (Number.isNaN(value) ? -exact : Math.min(exact, Math.max(-exact, value))));
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
