#!/usr/bin/env node
/**
 * The first process of the command line. The work is done in a second one, because native code that executes a model can neither
 * be interrupted nor survived; this one stays small, and answers at once.
 */
import { showFailure } from "./failure.ts";
import { safeIo } from "./io.ts";
import { processIo } from "./process-io.ts";

const args = process.argv.slice(2);
if (needsNoModel(args) || process.env.AVOCET_SUPERVISOR === "off") {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());
  const { main } = await import("./program.ts");
  process.exitCode = await main(args, processIo(interrupt.signal));
} else {
  const { supervise } = await import("./supervisor/supervise.ts");
  const outcome = await supervise(args);
  if ("code" in outcome) process.exitCode = outcome.code;
  else {
    const raw = processIo(AbortSignal.abort());
    // The worker may have left a line of progress behind.
    if (raw.interactive) raw.err("\r\x1b[2K");
    process.exitCode = showFailure(outcome.error, safeIo(raw), args.includes("--json"));
  }
}

/** Help, the version and completion, which should not wait for a second process. */
function needsNoModel(args: readonly string[]): boolean {
  return args.length < 2 || args[0] === "help" || args[0] === "completion" || args.includes("--help");
}
