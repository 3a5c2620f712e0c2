/** The page of weights: how widely the channels of each layer spread, the most uneven layers first. */
import { comparedChannels, type WeightChange, type WeightRanges } from "../analysis/inner.ts";
import { outlierNames, scaleOf, weightSpread } from "./charts/weight-spread.ts";
import { frame } from "./frame.ts";
import { html, type Markup } from "./markup.ts";
import { weightChangeSection } from "./sections/weight-changes.ts";
import { plural, short, tail } from "./words.ts";

/** With `changes`, what they were in another model stands before. */
export function renderWeights(
  name: string,
  layers: readonly WeightRanges[],
  changes?: { readonly from: string; readonly layers: readonly WeightChange[] },
): string {
  const uneven = [...layers].sort((a, b) => widest(b) - widest(a));
  const title = changes ? `Weights of ${changes.from} and ${name}` : `Weights of ${name}`;
  return frame(
    title,
    html`<header><p>Avocet weight report</p><h1>${title}</h1></header>
    <p class="soft">Channels of one layer that spread very differently share a scale badly: with one scale for the whole tensor the narrow ones have few steps
      left. Per-channel scales, or equalization (method cle) before one scale, help such layers.</p>
    ${changes ? (weightChangeSection(changes.layers) ?? html`<p>No layer that both have differs.</p>`) : null}${table(uneven)}<h2>Channels</h2>
    <p>The ${comparedChannels} widest output channels of each layer, widest first: the thin line is from the smallest to the largest weight, the thick one from
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
  const shown = [...channels]
    .sort((a, b) => b.relative - a.relative || a.channel - b.channel)
    .slice(0, comparedChannels);
  return html`<div class="card"><h3 title="${layer.layer}">${tail(layer.layer)}</h3>
    <p class="soft" style="margin:0 0 6px">${plural(channels.length, "channel")}; the widest is ${short(widest(layer))} × the narrowest; ${outlierNames(outliers)}</p>
    ${weightSpread(`weights of the widest channels of ${layer.layer}`, shown, new Set(outliers), scaleOf(shown))}</div>`;
}
