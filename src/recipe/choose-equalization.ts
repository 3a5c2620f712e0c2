/**
 * Quantization without any data (DFQ: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
 * 2019) equalizes where it helps: most nets with one scale per weight, but it ruins those with channels that hardly vary, and scales
 * per channel gain nothing.
 */
import type { Model } from "../ir/inner.ts";
import { Candidate } from "./candidate.ts";
import type { Choice, Verdict } from "./choose.ts";
import type { Step } from "./methods.ts";
import { noiseScorer } from "./output-scorer.ts";
import { changeOf, isBetter } from "./scorer.ts";
import { type StageOptions, Stages, type State } from "./stages.ts";

/** Runs the steps without the equalization among them, and with it where weights have one scale each; the better run is chosen. */
export async function chooseEqualization(
  source: Model,
  steps: readonly Step[],
  given: StageOptions & { readonly inputs: NonNullable<StageOptions["inputs"]> },
): Promise<Choice> {
  const step = steps.find(({ name }) => name === "cle");
  const others = steps.filter((one) => one !== step);
  const plain = await new Stages(given).run(source, others);
  if (!step || !hasScalesPerTensor(plain.state)) return { run: plain, verdicts: new Map() };
  const { scorer, threads: _t, checkpoint: _c, ...work } = given.options;
  const unknown = unknownInputs(plain.state, given);
  if (!scorer && unknown.length > 0) return { run: plain, verdicts: new Map([[step, notTried(unknown)]]) };
  const equalized = await new Stages(given).run(source, steps);
  const { runtime, inputs } = given;
  const chosen = scorer ?? noiseScorer({ float: source, inputs, shapes: plain.state.shapes, runtime, ...work });
  const before = await chosen.score(new Candidate(plain.state));
  const after = await chosen.score(new Candidate(equalized.state));
  const kept = isBetter(after, before);
  const note = `${kept ? "kept" : "undone"}: ${changeOf(before, after)}${scorer ? "" : " on noise"}`;
  const report = equalized.reports.get(step)!;
  return { run: kept ? equalized : plain, verdicts: new Map([[step, { kept, report, note }]]) };
}

function hasScalesPerTensor({ plan }: State): boolean {
  return plan.entries.every((entry) => entry.kind !== "weight" || entry.granularity.kind === "tensor");
}

/** Inputs of floats for which no noise can be made, so that nothing can be scored on them. */
function unknownInputs({ prepared, shapes }: State, { inputs }: Pick<StageOptions, "inputs">): readonly string[] {
  return prepared.graph.inputs
    .filter(({ name, initializer }) => !initializer && shapes.get(name)?.dtype === "float32" && !inputs?.has(name))
    .map(({ name }) => name);
}

function notTried(inputs: readonly string[]): Verdict {
  const note = `not tried, as the range of ${inputs.join(", ")} is unknown: --preprocess, the recipe's inputs or --data say it`;
  const report = { step: "cross-layer-equalization", edits: 0, seconds: 0, notes: [] };
  return { kept: false, report, note };
}
