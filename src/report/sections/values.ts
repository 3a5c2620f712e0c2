/** What happened to the values: SQNR along the graph, and the histograms of the worst ones with what is clipped. */
import { clippedHistogram } from "../charts/clipped-histogram.ts";
import { grade, signalPath } from "../charts/signal-path.ts";
import { html, type Markup } from "../markup.ts";
import type { RunReport, ValueReport } from "../run-report.ts";
import { decibels, percent, short, tail } from "../words.ts";

export function signalSection(report: RunReport): Markup {
  const worst = [...report.values].sort((a, b) => a.sqnr - b.sqnr)[0];
  return html`<h2>Signal along the graph</h2>
  <p>Signal-to-quantization-noise ratio of every value, in the order of execution, with all noise from before it. 20 dB means that
    the noise has a hundredth of the signal's power. ${worst ? html`Lowest: <code>${tail(worst.name)}</code> (${worst.op}) with ${decibels(worst.sqnr)}.` : null}
    Outputs: ${report.outputs.map((o) => html`<code>${tail(o.name)}</code> ${decibels(o.sqnr)} `)}</p>
  <div class="card">${signalPath(report.values)}</div>`;
}

export function histogramSection(report: RunReport): Markup | null {
  const shown = report.values.filter((v) => v.quantizer?.histogram).sort((a, b) => a.sqnr - b.sqnr);
  if (shown.length === 0) return null;
  return html`<h2>Ranges and clipping</h2>
  <p>What flowed through each quantized value while calibrating, the noisiest first. The band is what the grid spans; red is clipped.
    Heights are square roots of counts, and bars that tower over all others are cut, so that tails can be seen.</p>
  <div class="grid">${shown.slice(0, 9).map(card)}</div>
  ${shown.length > 9 ? html`<details><summary>${shown.length - 9} more values</summary><div class="grid" style="margin-top:14px">${shown.slice(9, 120).map(card)}</div></details>` : null}`;
}

function card(value: ValueReport): Markup {
  const q = value.quantizer!;
  return html`<div class="card"><h3 class="mono">${tail(value.name)}</h3>
    <span class="soft">${value.op} · <span class="${grade(value.sqnr)}">${decibels(value.sqnr)}</span> · ${q.grid} · [${short(q.min)}, ${short(q.max)}]
      ${q.clipped > 0 ? html`· ${percent(q.clipped, q.clipped < 0.001 ? 4 : 2)} clipped` : null}</span>
    ${clippedHistogram(q.histogram!, q, q.observed)}</div>`;
}
