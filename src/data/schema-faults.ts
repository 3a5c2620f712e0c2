/** What zod finds wrong with what a user wrote, in words, with the nearest of the names that would do. */
import { z } from "zod";
import { didYouMean } from "../base/inner.ts";

/** The output of the schema, or every fault at once, one a paragraph. */
export function checkSchema<T>(
  schema: z.ZodType<T>,
  input: unknown,
): { readonly value: T } | { readonly faults: string } {
  const result = schema.safeParse(input, { error: suggest });
  return result.success ? { value: result.data } : { faults: z.prettifyError(result.error) };
}

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

/** Words for the issues in which a name was misspelt; all others keep zod's. */
function suggest(issue: RawIssue): string | undefined {
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(
      (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape ?? {},
    );
    const listed = known.length > 0 && known.length <= 30 ? `one of ${known.join(", ")}` : "a known key";
    return issue.keys.map((key) => `expected ${listed}, got "${key}"${aside(didYouMean(key, known))}`).join("; ");
  }
  if (issue.code === "invalid_value" && issue.values.length > 1) {
    const names = issue.values.map(String);
    return `expected one of ${names.join(", ")}, got ${JSON.stringify(issue.input) ?? "nothing"}${aside(didYouMean(issue.input, names))}`;
  }
  return undefined;
}

function aside(hint: string | undefined): string {
  return hint ? ` (${hint})` : "";
}
