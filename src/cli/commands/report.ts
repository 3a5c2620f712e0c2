/** `avocet report`: the page of one run, or of several side by side. */
import { basename, join, resolve } from "node:path";
import { readSensitivities } from "../../analysis/inner-files.ts";
import { AvocetError } from "../../base/inner.ts";
import {
  jsonNumbers,
  type NamedRun,
  readReport,
  renderReport,
  renderSensitivities,
  verdictSentence,
} from "../../report/inner.ts";
import { filesOfArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";
import { readTextFile } from "../text-file.ts";

export interface ReportOptions {
  /** A `sensitivity.json` of `compress`. */
  readonly sensitivity?: string;
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function report(dirs: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const { sensitivity } = options;
  if ((sensitivity === undefined) === (dirs.length === 0)) {
    throw new AvocetError("usage/missing", "expected either folders or --sensitivity FILE", { at: "avocet report" });
  }
  if (sensitivity !== undefined) return sensitivityPage(sensitivity, options, io);
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

function sensitivityPage(path: string, { output, force, json }: ReportOptions, io: Io): void {
  const sensitivities = readSensitivities(readTextFile(path), path);
  openOutputFile(output, { force, kind: "page", inputs: [path] }).write(renderSensitivities(sensitivities));
  io.out(json ? `${JSON.stringify({ output, sensitivities })}\n` : `${output} is written.\n`);
}
