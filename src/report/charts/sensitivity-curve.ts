/** How much one layer may lose: a curve over the share of it that is kept, on a scale that all layers share. */
import { html, type Markup } from "../markup.ts";

export interface CurvePoint {
  /** Share of the layer's cost that is kept. */
  readonly ratio: number;
  readonly value: number;
}

export interface CurveScale {
  /** 0 at the bottom of the chart, 1 at the top. */
  at(value: number): number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
}

const [left, width, height, top, bottom] = [46, 320, 150, 10, 24];

/** `chosen` is the ratio that was taken, null where the layer stays. One line for each scheme. */
export function sensitivityCurve(
  label: string,
  lines: readonly { readonly scheme: string; readonly points: readonly CurvePoint[] }[],
  scale: CurveScale,
  chosen: CurvePoint | null,
): Markup {
  const x = (ratio: number) => (left + (width - left - 8) * Math.min(Math.max(ratio, 0), 1)).toFixed(1);
  const y = (value: number) =>
    (top + (height - top - bottom) * (1 - Math.min(Math.max(scale.at(value), 0), 1))).toFixed(1);
  const path = (points: readonly CurvePoint[]) =>
    points.map(({ ratio, value }, i) => `${i === 0 ? "M" : "L"}${x(ratio)} ${y(value)}`).join("");
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
    ${scale.ticks.map(({ value, text }) => html`<line class="axis" x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}"/><text x="0" y="${Number(y(value)) + 4}">${text}</text>`)}
    ${lines.map(({ points }, i) => html`<path class="edge" fill="none"${i > 0 ? html` stroke-dasharray="${2 + 3 * i} 3"` : null} d="${path(points)}"/>`)}
    ${chosen ? html`<line class="chosen" x1="${x(chosen.ratio)}" x2="${x(chosen.ratio)}" y1="${top}" y2="${height - bottom}"/><circle class="dot warn" cx="${x(chosen.ratio)}" cy="${y(chosen.value)}" r="4"/>` : null}
    ${[0, 0.5, 1].map((ratio) => html`<text x="${x(ratio)}" y="${height - 6}" text-anchor="${ratio === 1 ? "end" : "middle"}">${100 * ratio} %</text>`)}</svg>`;
}
