/** SeqMSE as a step of a recipe. */
import { solver } from "../step.ts";
import { applySeqMse } from "./apply.ts";
import { seqMseOptions } from "./options.ts";

export const seqMse = solver({ name: "seqmse", options: seqMseOptions, run: applySeqMse });
