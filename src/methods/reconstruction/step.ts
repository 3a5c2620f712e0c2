/** Block-wise reconstruction as a step of a recipe. */
import { solver } from "../step.ts";
import { applyReconstruction } from "./apply.ts";
import { reconstructionOptions } from "./options.ts";

export const reconstruction = solver({
  name: "reconstruction",
  options: reconstructionOptions,
  run: (decided, plan, work, options, prepared) =>
    applyReconstruction(decided, plan, work, { ...options, reference: prepared }),
});
