/** Two bars, float above quantized, to one scale. */
import { html, type Markup } from "../markup.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
}

/** Bars share the scale 0 … max; the first is float, the second quantized. */
export function pairBars(bars: readonly [Bar, Bar], max = Math.max(bars[0].value, bars[1].value)): Markup {
  const width = (value: number) => Math.max(1, (88 * value) / (max || 1)).toFixed(1);
  return html`<svg viewBox="0 0 216 40" role="img" aria-label="${bars.map((b) => `${b.label} ${b.text}`).join(", ")}">${bars.map(
    (bar, i) => html`<text x="0" y="${13 + 20 * i}">${bar.label}</text>
      <rect class="${i === 0 ? "f" : "q"}" x="64" y="${4 + 20 * i}" width="${width(bar.value)}" height="11" rx="2.5"/>
      <text x="${70 + Number(width(bar.value))}" y="${13 + 20 * i}">${bar.text}</text>`,
  )}</svg>`;
}
