/** A histogram with the quantized range over it: what lies outside is clipped. Heights are square roots, so that tails show. */
import { html, type Markup } from "../markup.ts";
import { short } from "../words.ts";

export interface HistogramData {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

const width = 300;
const height = 92;

/** Bars outside [min, max] carry the colour of clipping. */
export function clippedHistogram(data: HistogramData, min: number, max: number): Markup {
  const from = Math.min(data.low, min);
  const to = Math.max(data.high, max);
  const x = (v: number) => (width * (v - from)) / (to - from || 1);
  const top = Math.sqrt(Math.max(...data.counts, 1));
  const step = (data.high - data.low) / data.counts.length;
  const bars = data.counts
    .map((n, i) => ({ n, low: data.low + i * step, high: data.low + (i + 1) * step }))
    .filter(({ n }) => n > 0);
  const shape = (clipped: boolean) =>
    bars
      .filter(({ low, high }) => clipped === ((low + high) / 2 < min || (low + high) / 2 > max))
      .map(({ n, low, high }) => {
        const h = Math.max(0.6, (height - 14) * (Math.sqrt(n) / top));
        return `M${x(low).toFixed(1)} ${height}v${(-h).toFixed(1)}h${Math.max(0.4, x(high) - x(low)).toFixed(1)}v${h.toFixed(1)}z`;
      })
      .join("");
  return html`<svg viewBox="0 0 ${width} ${height + 16}" role="img" aria-label="histogram with quantized range">
    <rect class="band" x="${x(min).toFixed(1)}" y="0" width="${(x(max) - x(min)).toFixed(1)}" height="${height}"/>
    <path class="f" d="${shape(false)}"/><path class="c" d="${shape(true)}"/>
    <line class="edge" x1="${x(min).toFixed(1)}" x2="${x(min).toFixed(1)}" y1="0" y2="${height}"/>
    <line class="edge" x1="${x(max).toFixed(1)}" x2="${x(max).toFixed(1)}" y1="0" y2="${height}"/>
    <line class="axis" x1="0" x2="${width}" y1="${height}" y2="${height}"/>
    <text x="0" y="${height + 13}">${short(from)}</text><text x="${width}" y="${height + 13}" text-anchor="end">${short(to)}</text></svg>`;
}
