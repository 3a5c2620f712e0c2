/**
 * What quantization returns, whichever way it went. A model has one word for each of its forms: *source* (as it was read),
 * *prepared*, *decided*, *shipped*.
 */
import type { Model, TensorType } from "../ir/inner.ts";
import type { MethodReport } from "../methods/inner.ts";
import type { Lowered, Plan, Target, ValueStatistics } from "../quant/inner.ts";

/** What one step of a recipe did, for people and for the report. */
export type StepReport = MethodReport;

/**
 * What `quantize`, `quantizeModel` and `trainModel` return.
 *
 * @example
 * const { shipped, plan, steps } = await quantize("model.onnx", data);
 * for (const { step, notes } of steps) console.log(step, notes);
 * await writeModelFile(shipped, "model-int8.onnx");
 */
export interface Quantized {
  /** The given model (compressed, where the recipe says so), normalised: before weights were equalized, pruned, rounded or trained. */
  readonly source: Model;
  /**
   * The float model before any weight was rounded or trained: normalised, batch norms folded, equalized. It computes what the
   * source computes, so that it is what results are judged against. The plan's names are its values.
   */
  readonly prepared: Model;
  /**
   * The prepared model with the weights and biases that the methods decided (rounded, corrected or trained). `lower` makes the
   * shipped model of it and the plan; encodings for other tools belong to it. The same values in the same order.
   */
  readonly decided: Model;
  readonly plan: Plan;
  /** What became of the decided model's values and layers. */
  readonly lowered: Lowered;
  /** The model that ships: standard operators with Q/DQ. It is that of `lowered`. */
  readonly shipped: Model;
  readonly statistics: readonly ValueStatistics[];
  /** Traced on one sample: value name → type. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  readonly target: Target;
  readonly steps: readonly StepReport[];
  readonly seconds: { readonly prepare: number; readonly calibrate: number; readonly methods: number };
}

export interface TrainedModel extends Quantized {
  /** What quantization alone gave: where training began. */
  readonly before: { readonly decided: Model; readonly plan: Plan; readonly shipped: Model };
}
