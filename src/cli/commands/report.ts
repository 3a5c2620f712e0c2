/** `avocet report`: the page of one run, or of several side by side. */
import { basename, join, resolve } from "node:path";
import { jsonNumbers, type NamedRun, readReport, renderReport, verdictSentence } from "../../report/inner.ts";
import { filesOfArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";
import { readTextFile } from "../text-file.ts";

export interface ReportOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function report(dirs: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const runs = dirs.map(readRun);
  const inputs = dirs.flatMap(filesOfArgument);
  openOutputFile(options.output, { force: options.force, kind: "page", inputs }).write(renderReport(runs));
  if (options.json) io.out(`${JSON.stringify({ output: options.output, runs }, jsonNumbers)}\n`);
  else for (const run of runs) io.out(`${run.name}: ${verdictSentence(run.report)}\n`);
}

function readRun(dir: string): NamedRun {
  const path = join(dir, "report.json");
  return { name: basename(resolve(dir)), report: readReport(readTextFile(path), path) };
}
