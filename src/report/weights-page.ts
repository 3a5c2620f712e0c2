/** The page of weights: how widely the channels of each layer spread, the most uneven layers first. */
import type { ChannelWeights, WeightRanges } from "../analysis/inner.ts";
import { frame } from "./frame.ts";
import { html, type Markup } from "./markup.ts";
import { plural, short, tail } from "./words.ts";

/** Widest channels of a layer that are drawn; AIMET draws as many. */
const drawn = 50;

export function renderWeights(name: string, layers: readonly WeightRanges[]): string {
  const uneven = [...layers].sort((a, b) => widest(b) - widest(a));
  const title = `Weights of ${name}`;
  return frame(
    title,
    html`<header><p>Avocet weight report</p><h1>${title}</h1></header>
    <p class="soft">Channels of one layer that spread very differently share a scale badly: with one scale for the whole tensor the narrow ones have few steps
      left. Per-channel scales, or equalization (method cle) before one scale, help such layers.</p>
    ${table(uneven)}<h2>Channels</h2>
    <p>The ${drawn} widest output channels of each layer, widest first: the thin line is from the smallest to the largest weight, the thick one from
      the first to the third quarter, the dot is the mean. Orange: beyond Q3 + 1.5 IQR of the layer's ranges.</p>
    <div class="grid">${uneven.map(card)}</div>`,
  );
}

const widest = ({ channels }: WeightRanges) => channels.reduce((most, { relative }) => Math.max(most, relative), 0);

function table(layers: readonly WeightRanges[]): Markup {
  const heads = ["Layer", "Operator", "Weight", "Channels", "Smallest", "Largest", "Spread", "Outliers"];
  return html`<h2>Layers</h2><p>The most uneven first. Spread: the range of the widest channel as a multiple of the narrowest; beyond a million, a channel is dead.</p>
  <div class="card sheet"><input type="search" class="filter" placeholder="name or operator" aria-label="filter layers" hidden>
  <table><thead><tr>${heads.map((head, i) => html`<th class="${i > 2 ? "n" : ""}" data-sort="${i > 2 ? "number" : "text"}">${head}</th>`)}</tr></thead><tbody>
  ${layers.map((layer) => {
    const { channels, outliers, shape, op } = layer;
    const numbers = [
      channels.length,
      Math.min(...channels.map(({ min }) => min)),
      Math.max(...channels.map(({ max }) => max)),
      widest(layer),
      outliers.length,
    ];
    return html`<tr><td data-label="Layer"><span title="${layer.layer}">${tail(layer.layer)}</span></td><td data-label="Operator">${op}</td><td data-label="Weight">${shape.join("×")}</td>
    ${numbers.map((number, i) => html`<td class="n" data-label="${heads[i + 3]}" data-key="${number}">${short(number)}</td>`)}</tr>`;
  })}</tbody></table></div>`;
}

function card(layer: WeightRanges): Markup {
  const { channels, outliers } = layer;
  const shown = [...channels].sort((a, b) => b.relative - a.relative || a.channel - b.channel).slice(0, drawn);
  return html`<div class="card"><h3 title="${layer.layer}">${tail(layer.layer)}</h3>
    <p class="soft" style="margin:0 0 6px">${plural(channels.length, "channel")}; the widest is ${short(widest(layer))} × the narrowest; ${plural(outliers.length, "outlier")}</p>
    ${ranges(layer.layer, shown, new Set(outliers))}</div>`;
}

const [left, width, height] = [50, 320, 170];

function ranges(layer: string, shown: readonly ChannelWeights[], outliers: ReadonlySet<number>): Markup {
  const low = Math.min(...shown.map(({ min }) => min), 0);
  const high = Math.max(...shown.map(({ max }) => max), 0);
  const span = high - low || 1;
  const y = (value: number) => (8 + (height - 16) * (1 - (value - low) / span)).toFixed(1);
  const step = (width - left - 6) / Math.max(shown.length, 1);
  const line = (i: number, from: number, to: number, thick: number, kind: string) => {
    const x = (left + (i + 0.5) * step).toFixed(1);
    return html`<line class="${kind}" x1="${x}" x2="${x}" y1="${y(from)}" y2="${y(to)}" stroke-width="${thick.toFixed(1)}"/>`;
  };
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="weights of the widest channels of ${layer}">
    ${[low, 0, high].map((value) => html`<line class="axis" x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}"/>`)}
    ${[low, high].map((value) => html`<text x="0" y="${Number(y(value)) + 4}">${short(Number(value.toPrecision(3)))}</text>`)}
    ${shown.map(({ channel, min, max, mean, quartiles }, i) => {
      const kind = outliers.has(channel) ? "range far" : "range";
      return html`<g><title>channel ${channel}: ${short(min)} … ${short(max)}</title>${line(i, min, max, 1, kind)}${line(i, quartiles[0], quartiles[2], Math.min(step * 0.7, 5), kind)}<circle class="dot${outliers.has(channel) ? " warn" : ""}" cx="${(left + (i + 0.5) * step).toFixed(1)}" cy="${y(mean)}" r="1.6"/></g>`;
    })}</svg>`;
}
