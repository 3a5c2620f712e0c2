/** A report as one self-contained HTML file: no scripts, no network, light and dark. */
import { html, Markup } from "./markup.ts";
import type { RunReport } from "./run-report.ts";
import { nextSection } from "./sections/next.ts";
import { kernelSection, leftSection, stepSection } from "./sections/runtime.ts";
import { type NamedRun, sideBySideSection } from "./sections/side-by-side.ts";
import { histogramSection, signalSection } from "./sections/values.ts";
import { verdict, verdictSentence } from "./sections/verdict.ts";
import { weightSection } from "./sections/weights.ts";
import { css } from "./style.ts";
import { count } from "./words.ts";

/** The page of one run, or of several side by side. */
export function renderReport(runs: readonly NamedRun[]): string {
  const [only] = runs;
  if (!only) throw new Error("internal: a report needs at least one run");
  const title = runs.length === 1 ? verdictSentence(only.report) : `${runs.length} runs side by side`;
  const body = runs.length === 1 ? onePage(only.report) : html`${sideBySideSection(runs)}${runs.map(chapter)}`;
  return `<!doctype html>\n${html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${title}</title><style>${new Markup(css)}</style></head>
<body><main>${body}</main></body></html>`}\n`;
}

function onePage(report: RunReport): Markup {
  const { model } = report;
  return html`${verdict(report)}${signalSection(report)}${histogramSection(report)}${weightSection(report)}${kernelSection(report)}
    ${nextSection(report)}${leftSection(report)}${stepSection(report)}
    <footer>${model.name}: ${count(model.nodes)} operators, ${count(model.parameters)} parameters${model.macs === null ? null : html`, ${count(model.macs)} multiply-accumulates`},
      opset ${model.opset}. Made by Avocet ${report.avocet}. All figures are in report.json beside this file.</footer>`;
}

function chapter({ name, report }: NamedRun): Markup {
  return html`<section id="${name}"><h2 style="font-size:24px;margin-top:90px">${name}</h2><p></p>${onePage(report)}</section>`;
}
