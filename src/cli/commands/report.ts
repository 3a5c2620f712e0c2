/** `avocet report`: the page of one run, or of several side by side. */
import { existsSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { AvocetError } from "../../base/index.ts";
import { type NamedRun, type RunReport, renderReport, verdictSentence } from "../../report/index.ts";
import { readJson } from "../inputs.ts";
import type { Io } from "../io.ts";

export interface ReportOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function report(dirs: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const runs = dirs.map(readRun);
  if (existsSync(options.output) && !options.force) {
    throw new AvocetError("output/exists", `expected a new file, ${options.output} exists`, {
      at: options.output,
      hint: "--force replaces it",
    });
  }
  try {
    writeFileSync(options.output, renderReport(runs));
  } catch (cause) {
    throw new AvocetError("output/not-writable", `expected a place to write to, got ${(cause as Error).message}`, {
      at: options.output,
      cause,
    });
  }
  if (options.json) io.out(`${JSON.stringify({ output: options.output, runs })}\n`);
  else for (const run of runs) io.out(`${run.name}: ${verdictSentence(run.report)}\n`);
}

function readRun(dir: string): NamedRun {
  const report = readJson(join(dir, "report.json")) as RunReport;
  if (report.version !== 1 || !Array.isArray(report.values)) {
    throw new AvocetError("import/malformed", "expected a report of quantize, version 1", {
      at: join(dir, "report.json"),
    });
  }
  return { name: basename(resolve(dir)), report };
}
