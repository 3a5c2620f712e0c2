/** SpinQuant as a step of a recipe; it loads when a recipe names it. */
import { preparation } from "../step.ts";
import { spinQuantOptions } from "./options.ts";

export const spinQuant = preparation({
  name: "spin-quant",
  options: spinQuantOptions,
  run: async (model, context, options) => await (await import("./apply.ts")).rotateTransformer(model, context, options),
});
