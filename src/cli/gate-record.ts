/** What gates found, for those who watch over many runs: a JUnit file, and the summary of a job on GitHub. */
import { appendFileSync } from "node:fs";
import { AvocetError } from "../base/inner.ts";
import { html } from "../report/inner.ts";
import type { ExitCode } from "./exit.ts";
import { type Gate, judgeGates } from "./gate.ts";
import type { Io } from "./io.ts";
import { type OutputFile, openOutputFile } from "./output-file.ts";
import { visible } from "./visible.ts";

export interface RecordOptions {
  /** A file of JUnit's XML to write. */
  readonly junit?: string;
  readonly githubSummary?: boolean;
  readonly json?: boolean;
}

/** A run as it is recorded. */
export interface RecordedRun {
  /** "quantize". */
  readonly command: string;
  /** Of the model. */
  readonly name: string;
  readonly seconds: number;
  /** Figures by what they are of: float's and the result's. */
  readonly rows: readonly (readonly [what: string, float: string, result: string])[];
  readonly warnings: readonly { readonly text: string }[];
}

export interface GateRecord {
  /** Writes what was asked for, prints `text`, reports missed gates and returns the exit code. */
  close(text: string, run: RecordedRun, gates: readonly Gate[]): ExitCode;
}

/** Opens the files before the work begins, so that what stands in the way is reported at once. Throws `output/…`. */
export function openGateRecord(
  { junit, githubSummary, json }: RecordOptions,
  inputs: readonly string[],
  io: Io,
): GateRecord {
  // A record is made again by every run: one of Avocet's own is replaced.
  const file: OutputFile | null =
    junit === undefined ? null : openOutputFile(junit, { force: true, kind: "junit", inputs });
  const summary = githubSummary === true ? io.env.GITHUB_STEP_SUMMARY : undefined;
  return {
    close(text, run, gates) {
      try {
        file?.write(junitText(run, gates));
        if (summary) append(summary, summaryText(run, gates));
      } catch (error) {
        // The result is there all the same. With --json the one document is that of the failure.
        if (json !== true) io.out(text);
        throw error;
      }
      io.out(text);
      if (githubSummary === true && !summary) io.err("no GITHUB_STEP_SUMMARY here: the summary is left out\n");
      return judgeGates(gates, io);
    },
  };
}

function append(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (cause) {
    throw new AvocetError(
      "output/not-writable",
      `expected a file that can be written, got ${(cause as Error).message}`,
      {
        at: path,
        hint: "GITHUB_STEP_SUMMARY names it",
        cause,
      },
    );
  }
}

/** One test case a gate; without gates, one that says that the command ended. */
export function junitText({ command, name, seconds, warnings }: RecordedRun, gates: readonly Gate[]): string {
  const missed = gates.filter(({ passed }) => !passed).length;
  const cases = gates.length > 0 ? gates : [{ option: "done", passed: true, text: "" }];
  const suite = xml(`${command} ${name}`);
  const lines = cases.map(({ option, passed, text }) => {
    const head = html`    <testcase classname="${suite}" name="${option}" time="0"`;
    return passed ? html`${head}/>\n` : html`${head}>\n      <failure message="${xml(text)}"/>\n    </testcase>\n`;
  });
  const output = warnings.map(({ text }) => `${xml(text)}\n`);
  return `${html`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="avocet ${suite}" tests="${cases.length}" failures="${missed}" errors="0" time="${seconds.toFixed(3)}">
${lines}${output.length > 0 && html`    <system-out>${output}</system-out>\n`}  </testsuite>
</testsuites>`}\n`;
}

/** Markdown: a table of figures, gates, warnings. */
export function summaryText({ command, name, rows, warnings }: RecordedRun, gates: readonly Gate[]): string {
  return [
    `### avocet ${markdown(command)} ${markdown(name)}`,
    ``,
    `| | float | result |`,
    `| --- | --: | --: |`,
    ...rows.map((row) => `| ${row.map(markdown).join(" | ")} |`),
    ``,
    ...gates.map(({ option, passed, text }) => `- ${passed ? "✅" : "❌"} \`${option}\` ${markdown(text)}`),
    ...warnings.map(({ text }) => `- ⚠️ ${markdown(text)}`),
    ``,
    ``,
  ].join("\n");
}

/** What XML 1.0 has a way to write: it has none for control characters. */
function xml(text: string): string {
  return visible(text).replace(/[\ufffe\uffff]/g, "?");
}

/** One line of plain text: names of models and layers make no links, tables or tags. */
function markdown(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>|#!]/g, (sign) => `\\${sign}`);
}
