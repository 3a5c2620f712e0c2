/** One step of a recipe: the name of a method, and its options next to it, as the rows of the method table have them. */
import { z } from "zod";
import { didYouMean } from "../base/inner.ts";
import { methodSchemas, methodTable } from "../methods/inner.ts";

export const methodSchema = z.discriminatedUnion("method", methodSchemas, {
  error: (issue) =>
    issue.code === "invalid_union" ? unknownMethod((issue.input as { method?: unknown } | null)?.method) : undefined,
});

/** With the defaults filled in, and as it may be written. */
export type MethodStep = z.output<typeof methodSchema>;
export type MethodStepInput = z.input<typeof methodSchema>;

function unknownMethod(method: unknown): string {
  const hint = didYouMean(method, methodNames);
  const got = typeof method === "string" ? `, got "${method}"` : "";
  return `expected one of the methods ${methodNames.join(", ")}${got}${hint ? ` (${hint})` : ""}`;
}

/** The names that `--method` and recipes know. */
export const methodNames: readonly string[] = methodTable.map(({ name }) => name);
