/** Targets that somebody wrote: checked against the schema of the file, every fault at once. */
import { z } from "zod";
import { AvocetError } from "../../base/inner.ts";
import { type Target, targetOf } from "./target.ts";
import { targetSchema } from "./target-schema.ts";

/** Checks a target's JSON and gives it a name. Throws `target/invalid` with every fault at once. */
export function parseTarget(json: unknown, name: string): Target {
  const result = targetSchema.safeParse(json);
  if (result.success) return targetOf(result.data, name);
  throw new AvocetError("target/invalid", `the target has faults:\n${z.prettifyError(result.error)}`, {
    at: name,
    hint: "the format is AIMET's quantsim configuration (docs/targets.md)",
  });
}
