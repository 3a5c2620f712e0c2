/** Several runs in one table: what each returns and costs. */
import { html, type Markup } from "../markup.ts";
import type { RunReport, ScoreReport } from "../run-report.ts";
import { bytes, decibels, figure, milliseconds, percent } from "../words.ts";

export interface NamedRun {
  readonly name: string;
  readonly report: RunReport;
}

export function sideBySideSection(runs: readonly NamedRun[]): Markup {
  const keys = [...new Set(runs.flatMap(({ report }) => Object.keys(report.settings)))];
  const differing = keys.filter((key) => new Set(runs.map(({ report }) => report.settings[key])).size > 1);
  const best = bestOf(runs.flatMap(({ report }) => report.score ?? []));
  const head = ["Run", ...differing, "Float", "Quantized", "Like float", "Output SQNR", "Size", "Latency"];
  const cellsOf = ({ name, report: r }: NamedRun): readonly (string | Markup)[] => [
    html`<a href="#${name}">${name}</a>`,
    ...differing.map((key) => r.settings[key] ?? ""),
    r.score ? figure(r.score.float, r.score.unit) : "–",
    r.score
      ? html`<span class="${r.score.quantized === best ? "good" : ""}">${figure(r.score.quantized, r.score.unit)}</span>`
      : "–",
    r.agreement.float === null ? "–" : percent(r.agreement.float, 1),
    r.outputs.length > 0 ? decibels(Math.min(...r.outputs.map((o) => o.sqnr))) : "–",
    bytes(r.bytes.quantized),
    r.latencyMs ? milliseconds(r.latencyMs.quantized) : "–",
  ];
  const first = 1 + differing.length;
  const kind = (i: number) => (i >= first ? "n" : "");
  return html`<header><p>Avocet quantization report</p><h1>${runs.length} runs side by side</h1></header>
  <div class="card scroll"><table><thead><tr>${head.map((title, i) => html`<th class="${kind(i)}">${title}</th>`)}</tr></thead><tbody>
  ${runs.map((run) => html`<tr>${cellsOf(run).map((cell, i) => html`<td class="${kind(i)}" data-label="${head[i]}">${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** The best of several scores of one metric: one alone, or those of several metrics, have none. */
function bestOf(scores: readonly ScoreReport[]): number {
  const metrics = new Set(scores.map(({ metric }) => metric));
  if (scores.length < 2 || metrics.size > 1) return Number.NaN;
  const reached = scores.map(({ quantized }) => quantized);
  return scores[0]!.better === "higher" ? Math.max(...reached) : Math.min(...reached);
}
