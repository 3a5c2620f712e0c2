/**
 * The process that must live. It starts the worker, passes Ctrl-C on, and ends what does not end by itself; when native code
 * takes the worker with it, it says what was being done.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { AvocetError } from "../../base/inner.ts";
import { interruptLine, lineReader, type Message } from "./messages.ts";

/** Milliseconds that an interrupted worker has to put things away. */
const grace = 1400;

/** What became of the worker: its exit code, or the error that stands for its end. */
export type Outcome = { readonly code: number } | { readonly error: AvocetError };

/** Runs the command in a worker. Never throws. */
export async function supervise(args: readonly string[]): Promise<Outcome> {
  const script = fileURLToPath(import.meta.url.replace(/supervise(\.\w+)$/, "worker$1"));
  const worker = spawn(process.execPath, [...process.execArgv, script, ...args], {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    windowsHide: true,
  });
  const channel = worker.stdio[3] as Duplex;
  // A worker that died cannot be written to; its end is seen elsewhere.
  channel.on("error", () => {});
  const seen = new Seen();
  channel.on("data", lineReader((line) => seen.take(JSON.parse(line) as Message))); // biome-ignore format: one thing
  const interrupted = passSignals(worker, channel);
  const ended = await endOf(worker);
  if ("error" in ended) return { error: startFailure(ended.error) };
  const { done } = seen;
  if (done !== undefined) return { code: done };
  if (ended.code === null) await cleanUp(args);
  if (interrupted()) return { error: new AvocetError("abort/interrupted", "interrupted") };
  if (ended.code !== null) return { code: ended.code };
  return { error: seen.failure(ended.signal!) };
}

/** The first signal asks, and after the grace it is an order; the second is one at once. */
function passSignals(worker: ChildProcess, channel: Duplex): () => boolean {
  let asked = false;
  const kill = () => worker.kill("SIGKILL");
  const pass = () => {
    if (asked) kill();
    else {
      asked = true;
      channel.write(interruptLine);
      setTimeout(kill, grace).unref();
    }
  };
  process.on("SIGINT", pass);
  process.on("SIGTERM", pass);
  return () => asked;
}

type End = { readonly error: Error } | { readonly code: number | null; readonly signal: NodeJS.Signals | null };

function endOf(worker: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    worker.once("error", (error) => resolve({ error }));
    worker.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** A worker that was killed could not put its outputs away. */
async function cleanUp(args: readonly string[]): Promise<void> {
  for (const option of [/^(-o|--output)(=|$)/, /^--junit(=|$)/]) {
    const named = args.findLastIndex((arg) => option.test(arg));
    const output = args[named]?.split("=")[1] ?? args[named + 1];
    if (named < 0 || output === undefined) continue;
    const { sweepOutput } = await import("../../recipe/inner-node.ts");
    sweepOutput(output);
  }
}

/** What the worker said before it fell silent. */
class Seen {
  #doing = "starting";
  #at: string | undefined;
  #ending: Extract<Message, { ending: unknown }> | undefined;
  done: number | undefined;

  take(message: Message): void {
    if ("done" in message) this.done = message.done;
    else if ("ending" in message) this.#ending = message;
    else {
      this.#doing = message.doing;
      this.#at = message.at;
    }
  }

  failure(signal: NodeJS.Signals): AvocetError {
    const { limit = 0, ending } = this.#ending ?? {};
    const place = this.#at === undefined ? {} : { at: this.#at };
    if (ending === "memory" || (ending === undefined && signal === "SIGKILL")) {
      const most = ending === "memory" ? `at most ${Math.round(limit / 1e6)} MB of memory` : "enough memory";
      return new AvocetError("runtime/out-of-memory", `expected ${most}, ${this.#doing} took more`, {
        ...place,
        hint: "a smaller --batch, or AVOCET_MEMORY_LIMIT (megabytes); a model from a stranger may be hostile",
      });
    }
    if (ending !== undefined) {
      return new AvocetError("runtime/stalled", `expected ${this.#doing} to end within ${limit} s, it did not`, {
        ...place,
        hint: "the model may hold a loop without an end (`avocet inspect` never executes it); AVOCET_TIME_LIMIT (seconds) sets another limit",
      });
    }
    return new AvocetError("runtime/crashed", `expected ${this.#doing} to end, the process died of ${signal}`, {
      ...place,
      hint: "a fault of native code that this model reaches: `avocet inspect` and `avocet optimize --no-execute` never execute it",
    });
  }
}

function startFailure(cause: Error): AvocetError {
  return new AvocetError("runtime/crashed", `expected a process for the work to start: ${cause.message}`, {
    hint: "AVOCET_SUPERVISOR=off does the work in the first process",
    cause,
  });
}
