/** A report as one self-contained HTML file: no network, one script of ours that sorts tables, light and dark. */
import { shellWords } from "./command.ts";
import { frame } from "./frame.ts";
import { html, type Markup } from "./markup.ts";
import type { RunReport } from "./run-report.ts";
import { exampleSection } from "./sections/examples.ts";
import { layerSection } from "./sections/layers.ts";
import { nextSection } from "./sections/next.ts";
import { kernelSection, leftSection, stepSection } from "./sections/runtime.ts";
import { type NamedRun, sideBySideSection } from "./sections/side-by-side.ts";
import { histogramSection, signalSection } from "./sections/values.ts";
import { verdict, verdictSentence } from "./sections/verdict.ts";
import { weightChangeSection } from "./sections/weight-changes.ts";
import { weightSection } from "./sections/weights.ts";
import { count, plural } from "./words.ts";

/** The page of one run, or of several side by side. */
export function renderReport(runs: readonly NamedRun[]): string {
  const [only] = runs;
  if (!only) throw new Error("internal: a report needs at least one run");
  const title = runs.length === 1 ? verdictSentence(only.report) : `${runs.length} runs side by side`;
  const body =
    runs.length === 1
      ? onePage(only.report, exampleSection(only.report))
      : html`${sideBySideSection(runs)}${runs.map(chapter)}`;
  return frame(title, body);
}

/** Samples to look at are drawn on the page of one run alone: next to each other, runs are compared by figures. */
function onePage(report: RunReport, examples: Markup | null = null): Markup {
  return html`${verdict(report)}${examples}${nextSection(report)}${signalSection(report)}${layerSection(report)}${histogramSection(report)}${weightSection(report)}${weightChangeSection(report.weightChanges ?? [])}
    ${kernelSection(report)}${leftSection(report)}${stepSection(report)}${footer(report)}`;
}

function footer({ model, avocet, environment }: RunReport): Markup {
  const facts = [
    `${count(model.nodes)} operators`,
    `${count(model.parameters)} parameters${model.quantized === null ? "" : `, ${count(model.quantized)} of them quantized`}`,
    ...(model.macs === null ? [] : [`${count(model.macs)} multiply-accumulates`]),
    `opset ${model.opset}`,
  ];
  return html`<footer><p>${model.name}: ${facts.join(", ")}. All figures are in report.json next to this file.</p>
    ${environment ? madeBy(environment, avocet) : html`<p>Made by Avocet ${avocet}.</p>`}</footer>`;
}

function madeBy(
  { command, date, cpu, threads, versions }: NonNullable<RunReport["environment"]>,
  avocet: string,
): Markup {
  const made = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return html`<p>Made by Avocet ${avocet} on ${date.replace("T", " ").replace(/\.\d+Z$/, " UTC")}: ${cpu}, ${threads === null ? "threads as the runtime chooses" : plural(threads, "thread")}, ${made.join(", ")}.</p>
    ${command.length > 0 ? html`<p><code>${shellWords(["avocet", ...command])}</code></p>` : null}`;
}

function chapter({ name, report }: NamedRun): Markup {
  return html`<section id="${name}"><h2 style="font-size:24px;margin-top:90px">${name}</h2><p></p>${onePage(report)}</section>`;
}
