/** Quantization-aware training as a step of a run: the source teaches, or another float model. */
import { planned, withData } from "../step.ts";
import { trainQuantized } from "./apply.ts";
import { qatOptions } from "./options.ts";

export const qat = planned({
  name: "qat",
  kind: "train",
  options: qatOptions,
  run: ({ source, decided, plan }, work, options) =>
    trainQuantized(decided, plan, { ...withData("qat", work), reference: work.teacher ?? source }, options),
});
