/** GPTQ as a step of a recipe. */
import { solver } from "../step.ts";
import { applyGptq } from "./apply.ts";
import { gptqOptions } from "./options.ts";

export const gptq = solver({ name: "gptq", options: gptqOptions, run: applyGptq });
