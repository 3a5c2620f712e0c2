/** How long each operator of a file takes on this machine: from the profile that ort-node writes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelTimes, type Profiler } from "../analysis/inner.ts";
import { writable } from "../base/inner-node.ts";
import type { Runtime, SessionOptions } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";

/** Runs that are profiled; the shortest of each operator counts. */
const runs = 12;

/** What profiles files on this runtime; undefined on ort-web, which writes no profile that a program could read. */
export function profilerOf(runtime: Runtime): Profiler | undefined {
  return runtime.name === "ort-node" ? (file, feeds, options) => profiled(runtime, file, feeds, options) : undefined;
}

async function profiled(
  runtime: Runtime,
  file: string | Uint8Array,
  feeds: Feeds,
  options: SessionOptions,
): ReturnType<Profiler> {
  const folder = writable(tmpdir(), () => mkdtempSync(join(tmpdir(), "avocet-profile-")));
  try {
    {
      await using session = await runtime.open(file, { ...options, profilePath: join(folder, "profile") });
      for (let run = 0; run < runs; run++) await session.run(feeds);
    }
    const [written] = readdirSync(folder);
    return written === undefined ? [] : kernelTimes(readFileSync(join(folder, written), "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
