/**
 * Before anything long begins: the file that the plan stands for, as far as one sample tells it, is opened in a stock session and
 * run once. What the runtime refuses costs seconds then, and not what calibration, methods and training took.
 */
import { AvocetError } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { calibrate, lower, type Plan } from "../quant/inner.ts";
import { crosses, firstSample, fixedBatch, type Session, traceShapes } from "../runtime/inner.ts";
import { placedBy } from "./placement.ts";
import type { StageOptions } from "./stages.ts";

/**
 * The plan without encodings that a draft was made of. Throws `runtime/load` or `runtime/run` with the node where the runtime
 * refuses the draft, and what placement throws.
 */
export async function tryDraft(model: Model, given: StageOptions & { readonly data: Dataset }): Promise<Plan> {
  const { runtime, data, options } = given;
  const { signal, threads } = options;
  const few = samples(data, `first:${fixedBatch(model) ?? 1}`);
  const feeds = await firstSample(few, signal, fixedBatch(model) ?? 1);
  const shapes = await traceShapes(model, runtime, feeds);
  const plan = placedBy(given.recipe, model, given.target, shapes);
  const session = threads ? { threads } : {};
  const draft = await calibrate(model, plan, runtime, few, {
    scheme: "minmax",
    // Whether the runtime takes the file does not hang on what weights lose.
    floatWeights: true,
    shapes,
    session,
    signal,
  });
  const file = lower(model, draft.plan).model;
  try {
    await using stock: Session = await runtime.open(file, session);
    const handed = stock.outputs.flatMap(({ name, dtype }) => (dtype && crosses(dtype) ? [name] : []));
    // What a runtime does not hand over is computed all the same, as long as something else is asked for.
    if (handed.length > 0) await stock.run(feeds, handed);
  } catch (error) {
    throw refused(error);
  }
  return plan;
}

function refused(error: unknown): unknown {
  if (!AvocetError.is(error) || !["runtime/load", "runtime/run"].includes(error.code)) return error;
  return new AvocetError(error.code, `the quantized file would not run: ${error.message}`, {
    ...error.detail,
    hint: "nothing was calibrated yet; other --weights or --activations, or --float with the node, lead to another file",
    cause: error,
  });
}
