/** Where and how a command ran, for its report. */
import { availableParallelism, cpus } from "node:os";
import type { Environment } from "../report/inner.ts";
import type { Runtime } from "../runtime/inner.ts";

export function environmentOf(
  command: readonly string[],
  runtime: Pick<Runtime, "name" | "version">,
  threads: number | undefined,
): Environment {
  const { versions, platform, arch } = process;
  return {
    command,
    date: new Date().toISOString(),
    cpu: `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} available`,
    threads: threads ?? null,
    versions: { Node: versions.node, [runtime.name]: runtime.version, [platform]: arch },
  };
}
