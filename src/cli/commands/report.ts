/** `avocet report`: the page of one run, or of several side by side. */
import { basename, join, resolve } from "node:path";
import { AvocetError } from "../../base/index.ts";
import { type NamedRun, type RunReport, renderReport, verdictSentence } from "../../report/index.ts";
import { filesOfArgument, readJson } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";

export interface ReportOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function report(dirs: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const runs = dirs.map(readRun);
  const inputs = dirs.flatMap(filesOfArgument);
  openOutputFile(options.output, { force: options.force, kind: "page", inputs }).write(renderReport(runs));
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
