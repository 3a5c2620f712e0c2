/** SpinQuant as a step of a recipe. */
import { preparation } from "../step.ts";
import { rotateTransformer } from "./apply.ts";
import { spinQuantOptions } from "./options.ts";

export const spinQuant = preparation({ name: "spin-quant", options: spinQuantOptions, run: rotateTransformer });
