/** The worker's side: starts the watchdog, and reports to the supervisor what is about to enter native code. */
import { writeSync } from "node:fs";
import { totalmem } from "node:os";
import { Worker } from "node:worker_threads";
import { type Doing, setWatcher } from "../../base/inner.ts";
import { type Message, pipe } from "./messages.ts";
import type { WatchdogData } from "./watchdog.ts";

/**
 * The limits of a worker. Seconds that its main thread may stand still: no honest run of a session and no matrix factorisation needs
 * so long. Resident bytes: beyond nine tenths of what the machine has, the system would kill something else, or swap for hours.
 */
function limits(env: NodeJS.ProcessEnv): { readonly standstill: number; readonly memory: number } {
  const megabytes = Number(env.AVOCET_MEMORY_LIMIT);
  return {
    standstill: Number(env.AVOCET_TIME_LIMIT) || 1800,
    memory: megabytes > 0 ? megabytes * 1e6 : 0.9 * availableMemory(),
  };
}

/** Watches over this process from now on. `interrupted` is called when the supervisor passes Ctrl-C on. */
export function watchOver(interrupted: () => void): void {
  const pulse = new Int32Array(new SharedArrayBuffer(12));
  setInterval(() => Atomics.add(pulse, 0, 1), 500).unref();
  const data: WatchdogData = { pulse, ...limits(process.env) };
  const watchdog = new Worker(new URL(import.meta.url.replace(/watch(\.\w+)$/, "watchdog$1")), { workerData: data });
  watchdog.on("message", interrupted);
  watchdog.unref();
  const going: Doing[] = [];
  let serial = 0;
  const limit = () => {
    const strictest = going.reduce(
      (least, { seconds = 0 }) => (seconds && (!least || seconds < least) ? seconds : least),
      0,
    );
    Atomics.store(pulse, 2, strictest);
    Atomics.store(pulse, 1, strictest === 0 ? 0 : serial);
  };
  let last = "";
  setWatcher((doing) => {
    going.push(doing);
    const said = toldOf(going);
    // A session runs thousands of times: what the supervisor knows already is not written again.
    if (said !== last) send(said);
    last = said;
    if (doing.seconds) {
      serial++;
      limit();
    }
    return () => {
      going.splice(going.indexOf(doing), 1);
      if (doing.seconds) limit();
    };
  });
}

/** Reports to the supervisor that the command has ended, so that a fault while the process is torn down does not count. */
export function tellDone(code: number): void {
  send(JSON.stringify({ done: code } satisfies Message));
}

function toldOf(going: readonly Doing[]): string {
  const named = going.findLast(({ seconds }) => seconds !== undefined) ?? going.at(-1)!;
  const message: Message = { doing: named.what, ...(named.at === undefined ? {} : { at: named.at }) };
  return JSON.stringify(message);
}

function send(line: string): void {
  try {
    writeSync(pipe, `${line}\n`);
  } catch {
    // The supervisor is gone, and the watchdog ends this process for it; or the pipe is full of what nobody needs any more.
  }
}

function availableMemory(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
