#!/usr/bin/env node
/** The process around the command line: streams, Ctrl-C, exit code. */
import { AvocetError } from "../base/index.ts";
import type { Io } from "./io.ts";
import { main } from "./program.ts";

const interrupt = new AbortController();
process.on("SIGINT", () => {
  // The second Ctrl-C does not wait for a clean end.
  if (interrupt.signal.aborted) process.exit(130);
  interrupt.abort(new AvocetError("abort/interrupted", "interrupted by Ctrl-C"));
});
process.on("SIGTERM", () => interrupt.abort(new AvocetError("abort/interrupted", "stopped by SIGTERM")));
// A closed pipe (`avocet … | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

// Words for people are lost when nobody listens; the work goes on.
process.stderr.on("error", () => {});

const { env } = process;
const interactive = process.stderr.isTTY === true && !env.CI;
const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  interactive,
  color: env.FORCE_COLOR ? true : process.stderr.isTTY === true && !env.NO_COLOR,
  signal: interrupt.signal,
  env,
};
process.exitCode = await main(process.argv.slice(2), io);
