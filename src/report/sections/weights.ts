/** Weight ranges per output channel: where one scale for the whole tensor would crush most channels. */
import { channelRanges } from "../charts/channel-ranges.ts";
import { html, type Markup } from "../markup.ts";
import type { RunReport, WeightReport } from "../run-report.ts";
import { tail } from "../words.ts";

/** Largest channel range over the median one: what a per-tensor grid wastes. */
export function spread(weight: WeightReport): number {
  const ranges = weight.channels.max
    .map((high, i) => Math.max(Math.abs(high), Math.abs(weight.channels.min[i]!)))
    .sort((a, b) => a - b);
  const median = ranges[ranges.length >> 1]!;
  return ranges.at(-1)! / Math.max(median, 1e-12);
}

export function weightSection(report: RunReport): Markup | null {
  if (report.weights.length === 0) return null;
  const sorted = [...report.weights].sort((a, b) => spread(b) - spread(a));
  return html`<h2>Weights, channel by channel</h2>
  <p>Each bar spans one output channel's weights; the line is the limit of its grid. The number compares the widest channel with the
    median one: far above 8, a single scale for the tensor leaves the median channel few levels.</p>
  <div class="grid">${sorted.slice(0, 6).map(card)}</div>
  ${sorted.length > 6 ? html`<details><summary>${sorted.length - 6} more weights</summary><div class="grid" style="margin-top:14px">${sorted.slice(6, 120).map(card)}</div></details>` : null}`;
}

function card(weight: WeightReport): Markup {
  return html`<div class="card"><h3 class="mono">${tail(weight.name)}</h3>
    <span class="soft">${tail(weight.layer)} · ${weight.grid} per ${weight.granularity} · widest ÷ median ${spread(weight).toFixed(1)}</span>
    ${channelRanges(weight.channels.min, weight.channels.max, weight.limit)}</div>`;
}
