/** The streams and the terminal of this process, as a command sees them. */
import type { RawIo } from "./io.ts";

/** The streams of this process; its streams may lose their readers without harm. */
export function processIo(signal: AbortSignal): RawIo {
  // A closed pipe (`avocet … | head`) is not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  // Words for people are lost when nobody listens; the work goes on.
  process.stderr.on("error", () => {});
  const { env } = process;
  const terminal = process.stderr.isTTY === true;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive: terminal && !env.CI,
    color: mayColour(env, terminal),
    signal,
    env,
  };
}

/** NO_COLOR (no-color.org) wins where it is set to anything; FORCE_COLOR asks for colours where no terminal is. */
export function mayColour({ NO_COLOR, FORCE_COLOR, TERM }: RawIo["env"], terminal: boolean): boolean {
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0";
  return terminal && TERM !== "dumb";
}
