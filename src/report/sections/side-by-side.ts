/** Several runs in one table: what each gives and costs. */
import { html, type Markup } from "../markup.ts";
import type { RunReport } from "../run-report.ts";
import { bytes, decibels, milliseconds, percent } from "../words.ts";

export interface NamedRun {
  readonly name: string;
  readonly report: RunReport;
}

export function sideBySideSection(runs: readonly NamedRun[]): Markup {
  const keys = [...new Set(runs.flatMap(({ report }) => Object.keys(report.settings)))];
  const differing = keys.filter((key) => new Set(runs.map(({ report }) => report.settings[key])).size > 1);
  const best = Math.max(...runs.map(({ report }) => report.score?.quantized ?? Number.NEGATIVE_INFINITY));
  return html`<header><p>Avocet quantization report</p><h1>${runs.length} runs side by side</h1></header>
  <div class="card scroll"><table><thead><tr><th>Run</th>${differing.map((key) => html`<th>${key}</th>`)}<th class="n">Float</th><th class="n">Quantized</th>
    <th class="n">Like float</th><th class="n">Output SQNR</th><th class="n">Size</th><th class="n">Latency</th></tr></thead><tbody>
  ${runs.map(
    ({
      name,
      report: r,
    }) => html`<tr><td><a href="#${name}">${name}</a></td>${differing.map((key) => html`<td>${r.settings[key] ?? ""}</td>`)}
    <td class="n">${r.score ? percent(r.score.float) : "–"}</td><td class="n ${r.score?.quantized === best ? "good" : ""}">${r.score ? percent(r.score.quantized) : "–"}</td>
    <td class="n">${r.agreement.float === null ? "–" : percent(r.agreement.float, 1)}</td><td class="n">${decibels(Math.min(...r.outputs.map((o) => o.sqnr)))}</td>
    <td class="n">${bytes(r.bytes.quantized)}</td><td class="n">${milliseconds(r.latencyMs.quantized)}</td></tr>`,
  )}</tbody></table></div>`;
}
