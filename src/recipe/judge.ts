/** Judges states of a run on calibration samples that no method sees: the SQNR of the outputs against the float model. */
import { compareValues, outputSignals } from "../analysis/inner.ts";
import { type Checkpoint, remembered, type Work } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { counterparts, lower } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { State } from "./stages.ts";

export interface Judge {
  /** What methods may use: four samples of five. */
  readonly training: Dataset;
  /** The lowest SQNR of the outputs, in dB. */
  score(state: State): Promise<number>;
}

/** Samples that are enough for an average over all elements of the outputs. */
const most = 64;

/** Sets every fifth sample aside (all are used for both when there are fewer than ten). */
export async function judgeOn(
  float: Model,
  data: Dataset,
  runtime: Runtime,
  options: Work & { readonly threads?: number; readonly checkpoint?: Checkpoint },
): Promise<Judge> {
  const few = data.count !== null && data.count < 10;
  const training = few ? data : samples(data, "except-every:5");
  const aside = few ? data : samples(samples(data, "every:5"), most);
  const measure = async (state: State) => {
    const shipped = lower(state.decided, state.plan);
    const outputs = outputSignals(float, state.shapes);
    const similar = await compareValues(float, shipped.model, counterparts(outputs, shipped), runtime, aside, options);
    return Math.min(...similar.map((s) => s.sqnr));
  };
  let judged = 0;
  return {
    training,
    // As text: an exact output has infinitely many decibels, and JSON knows no such number.
    score: async (state) =>
      Number(await remembered(options.checkpoint, `judged-${judged++}`, async () => String(await measure(state)))),
  };
}
