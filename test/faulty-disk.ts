/** A disk on which one call fails, or every call from one on: what a fault, a full disk or a kill leaves behind. */
import { type DiskInterceptor, interceptDisk } from "../src/base/inner-node.ts";

export interface DiskCall {
  readonly call: Parameters<DiskInterceptor>[0];
  readonly path: string;
  /** How many calls of this name on this file came before. */
  readonly nth: number;
}

/** Calls numbered by what they do to which file: how many there are in all differs from run to run. */
class Counter {
  readonly #counts = new Map<string, number>();

  take(call: DiskCall["call"], path: string): DiskCall {
    const named = path
      .replace(/\d+\.\d+\.[0-9a-f]{12}\.[0-9a-f]{8}\.\d+/g, "TOKEN")
      .replace(/(avocet-kernels-)[^/]+/, "$1TOKEN");
    const key = `${call} ${named}`;
    const nth = this.#counts.get(key) ?? 0;
    this.#counts.set(key, nth + 1);
    return { call, path: named, nth };
  }
}

/**
 * `fault`: one call fails with EIO. `full`: from one call on nothing can be made or written (ENOSPC). `kill`: from one call on nothing
 * happens at all, so the disk stays as it was at that moment; the program goes on, but can't touch it any more.
 */
export type FaultKind = "fault" | "full" | "kill";

/** What takes room on a disk. */
const takesRoom: ReadonlySet<string> = new Set(["create", "write", "mkdir", "link", "fsync"]);

export interface BrokenDisk extends Disposable {
  /** Whether the call has come. */
  readonly hit: boolean;
}

/** Breaks at this call. */
export function breakDisk(kind: FaultKind, at: DiskCall): BrokenDisk {
  const counter = new Counter();
  let hit = false;
  const interception = interceptDisk((call, path, act) => {
    const taken = counter.take(call, path);
    const now = taken.call === at.call && taken.path === at.path && taken.nth === at.nth;
    hit ||= now;
    if (kind === "fault" ? now : hit && (kind === "kill" || takesRoom.has(call))) {
      const code = kind === "full" ? "ENOSPC" : "EIO";
      throw Object.assign(new Error(`${code}: ${kind} at ${call} '${path}'`), { code });
    }
    return act();
  });
  return {
    get hit() {
      return hit;
    },
    [Symbol.dispose]: () => interception[Symbol.dispose](),
  };
}

/** Every call that `act` makes, in order. */
export async function recordDisk(act: () => Promise<unknown>): Promise<DiskCall[]> {
  const calls: DiskCall[] = [];
  const counter = new Counter();
  using _recording = interceptDisk((call, path, run) => {
    calls.push(counter.take(call, path));
    return run();
  });
  await act();
  return calls;
}
