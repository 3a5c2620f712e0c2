/** AdaRound as a step of a recipe. */
import { solver } from "../step.ts";
import { applyAdaRound } from "./apply.ts";
import { adaroundOptions } from "./options.ts";

export const adaround = solver({ name: "adaround", options: adaroundOptions, run: applyAdaRound });
