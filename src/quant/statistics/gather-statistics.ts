/** Statistics of every float value of a model, over all data. */
import type { Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model, TensorType } from "../../ir/inner.ts";
import type { Runtime, SessionOptions } from "../../runtime/inner.ts";
import { observe } from "../observe/observe.ts";
import { HistogramObserver } from "../observers/histogram-observer.ts";
import type { SeenValue, Statistics } from "./statistics-file.ts";

export interface GatherOptions extends Work {
  /** Samples a run. Default: the runtime's choice. It changes nothing but the time. */
  readonly batch?: number | undefined;
  readonly session?: SessionOptions;
}

/**
 * What `quantize --statistics` needs of a normalised float model, for any target: the histogram of every float32 value that is no constant. `types` are
 * those of the values as they run (`traceShapes`). Throws `data/none` and `data/not-finite`.
 */
export async function gatherStatistics(
  model: Model,
  types: ReadonlyMap<string, TensorType>,
  runtime: Runtime,
  data: Dataset,
  { batch, session, signal, onProgress }: GatherOptions = {},
): Promise<Statistics> {
  const names = [...model.graph.values()].flatMap(({ name, initializer }) =>
    !initializer && types.get(name)?.dtype === "float32" ? [name] : [],
  );
  let samples = 0;
  const counted = (progress: { readonly done: number }) => {
    samples = Math.max(samples, progress.done);
  };
  const observers = await observe(model, names, runtime, data, {
    scheme: "mse",
    batch,
    session,
    signal,
    onProgress: (progress) => {
      counted(progress);
      onProgress?.(progress);
    },
  });
  const values: Record<string, SeenValue> = {};
  for (const [name, observer] of observers) {
    if (!(observer instanceof HistogramObserver)) continue;
    const { min, max, count, ...histogram } = observer.seen.kept();
    values[name] = { min, max, count, histogram };
  }
  return { version: 1, samples: data.count ?? samples, values };
}
