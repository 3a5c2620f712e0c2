/**
 * Who made a temporary file or a lock: a name that says process and machine, so that what a killed run left is told from
 * what a living one works on. A process number alone would not do: other containers, other machines on the same volume and
 * the time before a restart have numbers of their own.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Names that this program has given and still uses. */
const inUse = new Set<string>();
/** A package that is loaded twice, or a worker thread, has the same process number and another instance. */
const instance = randomBytes(4).toString("hex");
let count = 0;

/** A name for something that this program makes and will remove: `pid.start.machine.instance.number`. */
export function takeToken(): string {
  const token = `${process.pid}.${startOf(process.pid) ?? 0}.${machine()}.${instance}.${count++}`;
  inUse.add(token);
  return token;
}

/** From here on what bears the name counts as left over. */
export function dropToken(token: string): void {
  inUse.delete(token);
}

export const tokenPattern = "\\d+\\.\\d+\\.[0-9a-f]{12}\\.[0-9a-f]{8}\\.\\d+";

/**
 * Whether the owner of a token is gone. Where that cannot be known (another machine, another container, another instance in
 * this process) it counts as gone when nothing was heard of it for `silence` milliseconds, of the `patience` it is given.
 */
export function isGone(token: string, silence: number, patience: number): boolean {
  const [pid, start, where, made] = token.split(".");
  if (where === machine() && pid !== undefined) {
    const now = startOf(Number(pid));
    if (now === null || (now > 0 && now !== Number(start))) return true;
    if (Number(pid) !== process.pid) return false;
    if (made === instance) return !inUse.has(token);
  }
  return silence > patience;
}

/** When a process started, in ticks since the start of the system; 0 where only its existence is known, null without one. */
function startOf(pid: number): number | null {
  if (process.platform === "linux") {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      // The name in parentheses may hold anything; 22nd of all fields, the 20th behind it.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" || fields[0] === "X" ? null : Number(fields[19]);
    } catch {
      return null;
    }
  }
  try {
    process.kill(pid, 0);
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? 0 : null;
  }
}

let ownMachine: string | undefined;

/** One start of one machine, and the container in it: among these process numbers mean something. */
function machine(): string {
  ownMachine ??= createHash("sha256").update(describeMachine()).digest("hex").slice(0, 12);
  return ownMachine;
}

function describeMachine(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1")} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}
