/** How the values of a placed plan get their ranges: from data that is run through the model, or from what batch norms tell. */
import { remembered } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import { dataFreeRanges, type MethodReport, type StepContext } from "../methods/inner.ts";
import {
  calibrate,
  encodeObserved,
  isAimets,
  observersOf,
  type Plan,
  type Scheme,
  type Statistics,
  type ValueStatistics,
} from "../quant/inner.ts";

export type Shapes = ReadonlyMap<string, TensorType>;

export interface Ranged {
  readonly plan: Plan;
  readonly statistics: readonly ValueStatistics[];
  readonly report?: MethodReport;
}

export interface Ranging {
  /** Whether ranges are looked for again after a step that decides weights: rounded weights change what is observed. */
  readonly again: boolean;
  /** Whether placement may count on scales as they were found. */
  readonly exactScales: (scheme: Scheme) => boolean;
  /** Fills the encodings of a plan. Throws what calibration throws, or `quant/not-calibrated` where nothing is known of a value. */
  fill(model: Model, placed: Plan, shapes: Shapes, work: StepContext): Promise<Ranged>;
}

/** Ranges are observed on data. */
export const byData = (data: Dataset): Ranging => ({
  again: true,
  exactScales: (scheme) => !isAimets(scheme),
  fill: (model, placed, shapes, { runtime, calibration, batch, threads, checkpoint, signal, onProgress }) =>
    remembered(checkpoint, "calibrated", () =>
      calibrate(model, placed, runtime, data, {
        scheme: calibration,
        shapes,
        ...(batch ? { batch } : {}),
        ...(threads ? { session: { threads } } : {}),
        signal,
        onProgress,
      }),
    ),
});

/** Ranges are found from what was seen elsewhere, of the float model with float weights. */
export const byStatistics = (seen: Statistics): Ranging => ({
  again: false,
  exactScales: (scheme) => !isAimets(scheme),
  fill: async (model, placed, shapes, { calibration }) => {
    const observers = observersOf(seen, placed, calibration);
    const plan = encodeObserved(model, placed, observers, calibration, shapes);
    return { plan, statistics: [...observers].map(([value, one]) => ({ value, ...one.statistics() })) };
  },
});

/** Ranges follow from batch norms and from what is known of the inputs. */
export const byBatchNorms: Ranging = {
  again: false,
  exactScales: () => true,
  fill: async (model, placed, shapes, { inputs, signal }) => ({
    ...dataFreeRanges(model, placed, { shapes, signal, ...(inputs ? { inputs } : {}) }),
    statistics: [],
  }),
};
