/**
 * The thread next to the work. Native code and long loops block the main thread, so this one looks at the clock and at the
 * memory, hears the supervisor, and ends the process when a limit is passed or when the supervisor is gone.
 */
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { interruptLine, type Message, pipe } from "./messages.ts";

export interface WatchdogData {
  /** [0] counts while the main thread is alive; [1] which limited work goes on (0: none); [2] its limit in seconds. */
  readonly pulse: Int32Array<SharedArrayBuffer>;
  /** Resident bytes. */
  readonly memory: number;
  /** Seconds that the main thread may stand still. */
  readonly standstill: number;
}

const { pulse, memory, standstill } = workerData as WatchdogData;
const supervisor = new Socket({ fd: pipe });
supervisor.on("data", (chunk) => {
  if (chunk.toString().includes(interruptLine.trim())) parentPort!.postMessage("interrupt");
});
// Work that nobody waits for must not go on: its place may be taken by the next run.
supervisor.on("close", die);
supervisor.on("error", die);

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function end(message: Message): void {
  clearInterval(clock);
  supervisor.write(`${JSON.stringify(message)}\n`, die);
  setTimeout(die, 500);
}

let seen = { pulse: -1, since: performance.now() };
let limited = { serial: 0, since: performance.now() };
const clock = setInterval(() => {
  const now = performance.now();
  if (process.memoryUsage.rss() > memory) return end({ ending: "memory", limit: memory });
  const [beat, serial, seconds] = [0, 1, 2].map((i) => Atomics.load(pulse, i)) as [number, number, number];
  if (serial !== limited.serial) limited = { serial, since: now };
  if (serial !== 0 && now - limited.since > seconds * 1000) return end({ ending: "time", limit: seconds });
  if (beat !== seen.pulse) seen = { pulse: beat, since: now };
  if (now - seen.since > standstill * 1000) return end({ ending: "standstill", limit: standstill });
}, 100);
