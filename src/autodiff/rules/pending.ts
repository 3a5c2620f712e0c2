import type { GradientRow } from "../rule.ts";

/** A row that is being written; the last one that stands takes this file with it. */
export const pending: GradientRow = { none: "its rule is not written yet" };
