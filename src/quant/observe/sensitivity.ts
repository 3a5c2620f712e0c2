/**
 * How much errors of the numbers of a value weigh at the outputs of the model, number by number. An outlier may stand where the
 * layers behind see nothing (in MobileNetV2 the widest numbers of a residual stream do): what it loses to clipping costs nothing, and
 * a range that it stretches costs every other number. Only the outputs tell.
 */
import { AvocetError, Random, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model, TensorType, Value } from "../../ir/inner.ts";
import { type Runtime, type SessionOptions, StridedSamples, strideOf } from "../../runtime/inner.ts";
import type { Observer } from "../observers/observer.ts";
import { SensitivityObserver } from "../observers/sensitivity.ts";
import { outputGradients } from "./output-gradients.ts";

/** Samples that are looked at: as many as have so many numbers in all values, within bounds. What more of them gained was measured: 0.1 dB. */
const mostNumbers = 2 ** 27;
const leastSamples = 8;
const mostSamples = 48;
/** Elements of constants and numbers of one sample beyond which a backward pass would not fit next to the rest. */
const largest = 2 ** 26;

/** For values of so many numbers in a sample: none that would not fit, more than the usual most where they cost next to nothing. */
export function samplesFor(numbers: number): number {
  if (numbers > largest) return 0;
  const most = Math.max(mostSamples, 2 ** 24 / Math.max(numbers, 1));
  return Math.max(leastSamples, Math.min(most, mostNumbers / Math.max(numbers, 1)));
}

/** Numbers of a value, and slopes at them, that a run hands over. */
const numbersARun = 2 ** 17;

export interface SensitivityOptions extends Work {
  readonly session?: SessionOptions | undefined;
}

/**
 * The observers with those that weigh errors by what they do to the outputs, for values that the outputs depend on through
 * operators with a gradient; the others as they were.
 */
export async function withSensitivity(
  model: Model,
  observers: ReadonlyMap<string, Observer>,
  runtime: Runtime,
  data: Dataset,
  options: SensitivityOptions,
): Promise<ReadonlyMap<string, Observer>> {
  let constants = 0;
  for (const { initializer } of model.graph.initializers) constants += initializer?.size ?? 0;
  if (constants > largest || !(await hasSamples(data, leastSamples, options.signal))) return observers;
  const values = model.graph.valuesByName();
  const flowing = [...observers.keys()].filter((name) => !values.get(name)?.initializer);
  const weighed = new Map<string, SensitivityObserver>();
  const random = new Random(0).fork("sensitivity");
  const places = new StridedSamples(random.fork("places"));
  try {
    const batches = outputGradients(model, flowing, runtime, data, {
      ...options,
      random,
      outputs: scoresOf,
      fetch: (emitter, value, gradient) => {
        const stride = strideOf(emitter.shape(value), numbersARun, 1);
        return stride ? places.add(emitter.graph, [value, gradient], stride) : [value, gradient];
      },
      added: () => places.next(),
      most: samplesFor,
      relative: true,
    });
    for await (const batch of batches) {
      for (const [name, [numbers, gradients]] of batch) {
        const observer = weighed.get(name) ?? new SensitivityObserver(observers.get(name)!);
        weighed.set(name, observer);
        observer.weigh(numbers!.floats(), gradients!.floats());
      }
    }
  } catch (error) {
    // Without a gradient errors count by the layers that read a value.
    if (AvocetError.is(error) && withoutGradient.has(error.code)) return observers;
    throw error;
  }
  return new Map([...observers].map(([name, observer]) => [name, usable(weighed.get(name)) ?? observer]));
}

/** Slopes of a handful of samples are noise, which ranges without slopes beat. */
async function hasSamples(data: Dataset, least: number, signal: AbortSignal | undefined): Promise<boolean> {
  let seen = 0;
  for await (const { size } of data.batches(least, signal)) {
    seen += size;
    if (seen >= least) return true;
  }
  if (seen === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  return false;
}

const withoutGradient: ReadonlySet<string> = new Set([
  "autodiff/no-gradient",
  "pass/unsupported",
  "runtime/load",
  "runtime/out-of-memory",
]);

function usable(observer: SensitivityObserver | undefined): SensitivityObserver | undefined {
  return observer?.hasWeight ? observer : undefined;
}

/** The float outputs, and in place of probabilities the scores behind them: a sure decision has no slope. */
export function scoresOf(model: Model, types: ReadonlyMap<string, TensorType>): readonly Value[] {
  const scores = model.graph.outputs.map((output) => {
    const { producer } = output;
    const isProbability = producer?.domain === "" && ["Softmax", "LogSoftmax", "Sigmoid"].includes(producer.op);
    return isProbability ? producer.input(0)! : output;
  });
  return [...new Set(scores)].filter(({ name }) => types.get(name)?.dtype === "float32");
}
