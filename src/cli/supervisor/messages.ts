/** What the two processes send each other over a pipe of their own: one JSON document a line. */

/** The pipe between supervisor and worker, as the worker's file descriptor. */
export const pipe = 3;

/** From the worker to the supervisor. */
export type Message =
  /** What is about to enter native code, the outermost work first. */
  | { readonly doing: string; readonly at?: string }
  /** The watchdog ends the worker because of this. */
  | { readonly ending: "memory" | "time" | "standstill"; readonly limit: number }
  /** The command has run to its end; what comes after belongs to nobody. */
  | { readonly done: number };

/** From the supervisor to the worker: Ctrl-C or SIGTERM. */
export const interruptLine = "interrupt\n";

/** The documents that came in pieces. */
export function lineReader(each: (line: string) => void): (chunk: Uint8Array | string) => void {
  let rest = "";
  return (chunk) => {
    rest += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) each(line);
  };
}
