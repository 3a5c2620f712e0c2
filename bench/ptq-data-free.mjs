/** The steps of quantization without data, one by one: what the preset `data-free` composes, for bench/ptq.mjs. */

import { cloneModel } from "../dist/ir/inner.js";
import {
  correctBiases,
  dataFreeRanges,
  equalizeLayers,
  imageInput,
  inputExpectation,
  removeDeadChannels,
} from "../dist/methods/inner.js";
import { normalise } from "../dist/passes/inner.js";
import { builtinTarget, lower, place } from "../dist/quant/inner.js";
import { traceShapes } from "../dist/runtime/inner.js";
import { sizeOf, Tensor } from "../dist/tensor/inner.js";

/** `steps`: any of dead, cle, bias, in this order. */
export async function quantizeWithoutData(model, runtime, { preprocess, granularity, steps }) {
  const target = builtinTarget("ort-cpu");
  const reports = [];
  let float = cloneModel(model);
  await normalise(float, { runtime });
  const name = float.graph.inputs[0].name;
  const inputs = new Map([[name, inputExpectation(imageInput(preprocess))]]);
  const context = { runtime, target, granularity, inputs };
  for (const step of steps) {
    if (step === "bias") continue;
    const done = step === "dead" ? await removeDeadChannels(float, context) : await equalizeLayers(float, context);
    float = done.model;
    reports.push(done.report);
  }
  const shape = float.graph.inputs[0].type.shape.map((d) => (typeof d === "number" ? d : 1));
  const shapes = await traceShapes(float, runtime, { [name]: Tensor.float32(shape, new Float32Array(sizeOf(shape))) });
  const ranged = dataFreeRanges(float, place(float, target, { shapes, granularity }), { shapes, inputs });
  let { plan } = ranged;
  reports.push(ranged.report);
  if (steps.includes("bias")) {
    const corrected = await correctBiases(float, plan, context, { kind: "analytic" });
    float = corrected.model;
    plan = corrected.plan;
    reports.push(corrected.report);
  }
  const lowered = lower(float, plan);
  return { plan, lowered, shipped: lowered.model, steps: reports };
}
