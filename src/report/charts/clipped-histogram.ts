/** A histogram with the quantized range over it: what lies outside is clipped. Heights are square roots, so that tails show. */
import { html, type Markup } from "../markup.ts";
import { short } from "../words.ts";

export interface HistogramData {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

interface Range {
  readonly min: number;
  readonly max: number;
}

const width = 300;
const height = 92;

/** Bars that tower over all others (the ends of a Relu or a Clip) may leave the image, so that the others can be seen. */
function tallest(counts: readonly number[]): number {
  const [first = 1, , third = first] = [...counts].sort((a, b) => b - a);
  return Math.max(1, Math.min(first, 2 * third));
}

/** Bars are cut where the grid ends, and what is beyond has the colour of clipping; bins end where the observed numbers do. */
export function clippedHistogram(data: HistogramData, grid: Range, observed: Range): Markup {
  const from = Math.min(observed.min, grid.min);
  const to = Math.max(observed.max, grid.max);
  const x = (v: number) => (width * (v - from)) / (to - from || 1);
  const top = Math.sqrt(tallest(data.counts));
  const step = (data.high - data.low) / data.counts.length;
  const bars = data.counts
    .map((n, i) => ({
      n,
      low: Math.max(data.low + i * step, observed.min),
      high: Math.min(data.low + (i + 1) * step, observed.max),
    }))
    .filter(({ n }) => n > 0);
  const shape = ({ min, max }: Range) =>
    bars
      .map(({ n, low, high }) => ({ n, low: Math.max(low, min), high: Math.min(high, max) }))
      .filter(({ low, high }) => low <= high)
      .map(({ n, low, high }) => {
        const h = Math.min(height, Math.max(0.6, (height - 14) * (Math.sqrt(n) / top)));
        return `M${x(low).toFixed(1)} ${height}v${(-h).toFixed(1)}h${Math.max(0.4, x(high) - x(low)).toFixed(1)}v${h.toFixed(1)}z`;
      })
      .join("");
  const below = grid.min > observed.min ? shape({ min: Number.NEGATIVE_INFINITY, max: grid.min }) : "";
  const above = grid.max < observed.max ? shape({ min: grid.max, max: Number.POSITIVE_INFINITY }) : "";
  const edge = (v: number) =>
    html`<line class="edge" x1="${x(v).toFixed(1)}" x2="${x(v).toFixed(1)}" y1="0" y2="${height}"/>`;
  return html`<svg viewBox="0 0 ${width} ${height + 16}" role="img" aria-label="histogram with quantized range">
    <rect class="band" x="${x(grid.min).toFixed(1)}" y="0" width="${(x(grid.max) - x(grid.min)).toFixed(1)}" height="${height}"/>
    <path class="f" d="${shape(grid)}"/><path class="c" d="${below}${above}"/>${edge(grid.min)}${edge(grid.max)}
    <line class="axis" x1="0" x2="${width}" y1="${height}" y2="${height}"/>
    <text x="0" y="${height + 13}">${short(from)}</text><text x="${width}" y="${height + 13}" text-anchor="end">${short(to)}</text></svg>`;
}
