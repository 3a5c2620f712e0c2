/** `avocet doctor`: what of Node, runtimes and memory is here. Each runtime is really asked to run a graph. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { AvocetError } from "../../base/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, type RuntimeName } from "../../runtime/inner.ts";
import { findBrowsers } from "../../runtime/inner-node.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { ExitCode } from "../exit.ts";
import type { Io } from "../io.ts";
import { version } from "../version.ts";

export interface DoctorOptions {
  readonly json?: boolean;
}

interface RuntimeHealth {
  readonly name: RuntimeName;
  readonly works: boolean;
  readonly version: string | null;
  /** Execution providers that are there. */
  readonly providers: readonly string[];
  /** What is wrong and what to do, where it does not work. */
  readonly problem: string | null;
  readonly hint: string | null;
}

/** Exit 5 when no runtime works. */
export async function doctor(options: DoctorOptions, io: Io, exit: (code: ExitCode) => void): Promise<void> {
  const runtimes: RuntimeHealth[] = [];
  for (const name of ["ort-node", "ort-web"] as const) runtimes.push(await examine(name));
  const memory = process.constrainedMemory?.() ?? 0;
  const result = {
    avocet: version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    threads: availableParallelism(),
    vnni: hasVnni(),
    // A container's limit counts, where there is one.
    memoryBytes: memory > 0 && memory < totalmem() ? memory : totalmem(),
    freeBytes: freemem(),
    runtimes,
    browsers: findBrowsers(),
  };
  io.out(options.json ? `${JSON.stringify(result)}\n` : text(result));
  exit(runtimes.some((runtime) => runtime.works) ? 0 : 5);
}

/** Opens the runtime and runs one operator on it. */
async function examine(name: RuntimeName): Promise<RuntimeHealth> {
  try {
    const runtime = await openRuntime(name);
    await using session = await runtime.open(parseModel("check (float[2] x) => (float[2] y) { y = Neg(x) }"));
    const { y } = await session.run({ x: Tensor.float32([2], [1, -2]) });
    const works = `${y?.numbers()}` === "-1,2";
    const problem = works ? null : "it computes wrong numbers";
    return { name, works, version: runtime.version, providers: runtime.providers, problem, hint: null };
  } catch (error) {
    const known = AvocetError.is(error) ? error : null;
    const problem = known?.message ?? String(error);
    return { name, works: false, version: null, providers: [], problem, hint: known?.detail.hint ?? null };
  }
}

/** Whether the processor adds 8-bit products in 32 bits; null where the system does not say. */
function hasVnni(): boolean | null {
  if (process.arch !== "x64" || process.platform !== "linux") return null;
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
    return flags === undefined ? null : / avx512_vnni\b| avx_vnni\b/.test(flags);
  } catch {
    return null;
  }
}

function text(r: {
  readonly avocet: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly threads: number;
  readonly vnni: boolean | null;
  readonly memoryBytes: number;
  readonly freeBytes: number;
  readonly runtimes: readonly RuntimeHealth[];
  readonly browsers: readonly string[];
}): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const vnni = r.vnni === null ? "" : r.vnni ? ", with VNNI" : ", without VNNI: 8-bit products are added in 16 bits";
  return [
    `avocet ${r.avocet} on Node ${r.node}, ${r.platform}\n`,
    `${r.cpu}, ${r.threads} threads${vnni}\n`,
    `${gigabytes(r.memoryBytes)} of memory, ${gigabytes(r.freeBytes)} of it free\n`,
    ...r.runtimes.map(({ name, works, version, providers, problem, hint }) =>
      works
        ? `${name} ${version} works (${providers.join(", ")})\n`
        : `${name} does not work: ${problem}${hint ? `\n  hint: ${hint}` : ""}\n`,
    ),
    ...r.browsers.map((path) => `browser ${path}\n`),
  ].join("");
}
