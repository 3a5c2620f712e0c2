/** The weights of the channels of a layer, one next to the other: range, quarters and mean of each. */
import type { ChannelWeights } from "../../analysis/inner.ts";
import { html, type Markup } from "../markup.ts";
import { short } from "../words.ts";

const [left, width] = [50, 320];

export interface SpreadScale {
  readonly low: number;
  readonly high: number;
}

/** On the scale, zero in it; outliers are orange. One path a kind of mark: pages have thousands of channels. */
export function weightSpread(
  label: string,
  shown: readonly ChannelWeights[],
  outliers: ReadonlySet<number>,
  { low, high }: SpreadScale,
  height = 170,
): Markup {
  const span = high - low || 1;
  const y = (value: number) => (8 + (height - 16) * (1 - (value - low) / span)).toFixed(1);
  const step = (width - left - 6) / Math.max(shown.length, 1);
  const thick = Math.min(step * 0.7, 5).toFixed(1);
  const marks = (far: boolean) => {
    const own = [...shown.entries()].filter(([, { channel }]) => outliers.has(channel) === far);
    if (own.length === 0) return null;
    const path = (ends: (one: ChannelWeights) => readonly [number, number]) =>
      own
        .map(([i, one]) => {
          const [from, to] = ends(one);
          return `M${(left + (i + 0.5) * step).toFixed(1)} ${y(from)}V${y(to)}`;
        })
        .join("");
    const kind = far ? "range far" : "range";
    return html`<path class="${kind}" d="${path(({ min, max }) => [min, max])}"/><path class="${kind}" stroke-width="${thick}" d="${path(({ quartiles: [q1, , q3] }) => [q1, q3])}"/>
    ${own.map(([i, { mean }]) => html`<circle class="dot${far ? " warn" : ""}" cx="${(left + (i + 0.5) * step).toFixed(1)}" cy="${y(mean)}" r="1.6"/>`)}`;
  };
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
    ${[low, 0, high].map((value) => html`<line class="axis" x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}"/>`)}
    ${[low, high].map((value) => html`<text x="0" y="${Number(y(value)) + 4}">${short(Number(value.toPrecision(3)))}</text>`)}
    ${marks(false)}${marks(true)}</svg>`;
}

/** The scale of all of them, zero in it. */
export function scaleOf(shown: readonly ChannelWeights[]): SpreadScale {
  return {
    low: Math.min(...shown.map(({ min }) => min), 0),
    high: Math.max(...shown.map(({ max }) => max), 0),
  };
}

/** Which channels are orange, by number. */
export function outlierNames(outliers: readonly number[]): string {
  if (outliers.length === 0) return "no outliers";
  const first = outliers.slice(0, 6).join(", ");
  return `${outliers.length === 1 ? "outlier: channel" : `${outliers.length} outliers: channels`} ${first}${outliers.length > 6 ? ", …" : ""}`;
}
