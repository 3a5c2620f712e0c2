/** A failure as the command line shows it: text on stderr, or one JSON document on stdout. */
import { AvocetError } from "../base/inner.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";
import type { Io } from "./io.ts";
import { visibleLine } from "./visible.ts";

/** Shows the failure and returns its exit code. */
export function showFailure(error: unknown, io: Pick<Io, "out" | "err">, json: boolean): ExitCode {
  if (json) {
    const body = AvocetError.is(error)
      ? error.toJSON()
      : { code: "internal", message: String(error), at: null, hint: null };
    io.out(`${JSON.stringify({ error: body })}\n`);
  }
  if (AvocetError.is(error)) io.err(`error ${error.code}: ${error.describe(visibleLine)}\n`);
  else io.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return exitCodeOf(error);
}
