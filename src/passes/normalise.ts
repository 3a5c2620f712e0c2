/** The passes that every model goes through before it is quantized: same function, fewer spellings. */
import type { Model } from "../ir/inner.ts";
import { checkNodes } from "../ops/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { hoistConstants, unlistConstants } from "./constants.ts";
import { foldBatchNorms } from "./fold/fold-batch-norm.ts";
import { foldChannelAffines } from "./fold/fold-channel-affine.ts";
import { foldConstants } from "./fold/fold-constants.ts";
import { foldPaddings } from "./fold/fold-padding.ts";
import { spreadBiases } from "./fold/spread-bias.ts";
import { type Pass, type PassReport, runPass, runPasses } from "./pass.ts";
import { recogniseOperators } from "./recognise/recognise.ts";
import { foldShapes } from "./shapes/fold-shapes.ts";
import { freezeShapes } from "./shapes/freeze-shapes.ts";
import { cancelMovement } from "./tidy/cancel-movement.ts";
import { correctOutputs } from "./tidy/correct-outputs.ts";
import { inlineFunctions } from "./tidy/inline-functions.ts";
import { moveConstants } from "./tidy/move-constants.ts";
import { removeDeadNodes } from "./tidy/remove-dead.ts";
import { removeIdentities } from "./tidy/remove-identity.ts";
import { shareConstants, shareSubexpressions } from "./tidy/share-equal.ts";
import { useInference } from "./tidy/use-inference.ts";
import { widenHalf } from "./tidy/widen-half.ts";
import { stepsFirst } from "./unroll/time-major.ts";
import { defaultOpset, upgradeTo } from "./upgrade-opset/upgrade.ts";

export interface NormaliseOptions {
  /** Executes what depends on constants alone. Without one nothing is folded by execution. */
  readonly runtime?: Runtime;
  /** Whether batch norms, and Mul and Add per channel, go into the layers around them. Default true. */
  readonly foldBatchNorm?: boolean;
  /** Whether recurrent layers that were written out in MatMul, Add and Mul become LSTM, GRU and RNN. Default: in `optimise`. */
  readonly cells?: boolean;
  /** The opset to raise the model to, if it is below. Default 21: int4 and 16-bit quantizers need it. */
  readonly opset?: number;
}

/** Loaded where it is asked for. */
const recogniseCells: Pass = {
  name: "recognise-cells",
  run: async (model, refuse) => (await import("./cells/recognise-cells.ts")).recogniseCells.run(model, refuse),
};

/**
 * Normalises the model in place; one in half precision becomes one in float32. Returns one report per pass, in the order in which they ran first: all edits and all
 * the time of its rounds, and what it still refuses. Throws `import/unsupported-opset`.
 */
export async function normalise(model: Model, options: NormaliseOptions = {}): Promise<readonly PassReport[]> {
  return await runAll(model, options, options.cells ? [recogniseCells] : [], [widenHalf]);
}

/**
 * Normalises the model in place and goes further: paddings go into convolutions, operators that were taken apart are
 * recognised, equal things are computed and stored once. For models that ship as they are; a model that is to be quantized is better only
 * normalised, because its layers should own their weights. Reports and errors as for `normalise`.
 */
export async function optimise(model: Model, options: NormaliseOptions = {}): Promise<readonly PassReport[]> {
  const cells = (options.cells ?? true) ? [recogniseCells] : [];
  return await runAll(model, options, [
    foldPaddings,
    ...cells,
    recogniseOperators,
    shareConstants,
    shareSubexpressions,
  ]);
}

async function runAll(
  model: Model,
  options: NormaliseOptions,
  more: readonly Pass[],
  widening: readonly Pass[] = [],
): Promise<readonly PassReport[]> {
  const { runtime, foldBatchNorm = true, opset = defaultOpset } = options;
  checkNodes(model);
  // A function that is written in newer operators lifts the model that calls it.
  const newest = Math.max(opset, ...model.functions.map((f) => f.opsets.get("") ?? 0));
  const first: Pass[] = [
    unlistConstants,
    hoistConstants,
    useInference,
    upgradeTo(newest),
    inlineFunctions,
    ...widening,
    stepsFirst,
    correctOutputs,
  ];
  const rounds: Pass[] = [
    hoistConstants,
    useInference,
    ...(runtime ? [foldConstants(runtime), freezeShapes(runtime)] : [moveConstants]),
    foldShapes,
    removeIdentities,
    cancelMovement,
    spreadBiases,
    ...(foldBatchNorm ? [foldBatchNorms, foldChannelAffines] : []),
    ...more,
    removeDeadNodes,
  ];
  const reports: PassReport[] = [];
  for (const pass of first) reports.push(await runPass(model, pass));
  reports.push(...(await runPasses(model, rounds, 32)));
  return summarise(reports);
}

/** One report per pass. The refusals are those of its last round: earlier ones may have been resolved since. */
function summarise(reports: readonly PassReport[]): PassReport[] {
  const byPass = new Map<string, PassReport>();
  for (const report of reports) {
    const before = byPass.get(report.pass);
    byPass.set(report.pass, {
      ...report,
      edits: report.edits + (before?.edits ?? 0),
      milliseconds: report.milliseconds + (before?.milliseconds ?? 0),
      notes: [...(before?.notes ?? []), ...report.notes],
    });
  }
  return [...byPass.values()];
}
