/** Weights before and after what was done to them: equalization, pruning, rounding, training. */
import type { ChannelWeights, WeightChange, WeightSide } from "../../analysis/inner.ts";
import { outlierNames, scaleOf, weightSpread } from "../charts/weight-spread.ts";
import { html, type Markup } from "../markup.ts";
import { plural, short, tail } from "../words.ts";

/** Layers that are drawn at once, and in all: the table has every one. */
const [atOnce, inAll] = [6, 30];

export function weightChangeSection(changes: readonly WeightChange[]): Markup | null {
  if (changes.length === 0) return null;
  const cards = changes.slice(0, inAll).map(card);
  const more = cards.length - atOnce;
  return html`<h2>Weights before and after</h2>
  <p>What preparation, rounding or training changed, the largest change of spread first. Spread: the range of a layer's widest output channel as a multiple of its
    narrowest; the closer to one, the better a single scale serves the whole layer. Thin line: smallest to largest weight; thick: first to third quarter; dot: mean;
    orange: beyond Q3 + 1.5 IQR of the layer's ranges. Both pictures of a layer show the same channels on the same scale, the widest first.</p>
  ${table(changes)}<div class="grid" style="margin-top:14px">${cards.slice(0, atOnce)}</div>
  ${more > 0 ? html`<details><summary>${plural(more, "more layer")}</summary><div class="grid" style="margin-top:14px">${cards.slice(atOnce)}</div></details>` : null}`;
}

function table(changes: readonly WeightChange[]): Markup {
  const heads = ["Layer", "Channels", "Range before", "Range after", "Spread before", "Spread after", "Outliers"];
  const range = ({ min, max }: WeightSide) => `${short(min)} … ${short(max)}`;
  return html`<div class="card sheet"><input type="search" class="filter" placeholder="name or operator" aria-label="filter layers" hidden>
  <table><thead><tr>${heads.map((head, i) => html`<th class="${i > 0 ? "n" : ""}" data-sort="${i > 0 ? "number" : "text"}">${head}</th>`)}</tr></thead><tbody>
  ${changes.map(({ layer, op, count, before, after }) => {
    const cells: readonly (readonly [string, number])[] = [
      [count[0] === count[1] ? String(count[0]) : `${count[0]} → ${count[1]}`, count[1]],
      [range(before), before.max - before.min],
      [range(after), after.max - after.min],
      [short(before.spread), before.spread],
      [short(after.spread), after.spread],
      [`${before.outliers.length} → ${after.outliers.length}`, after.outliers.length],
    ];
    return html`<tr><td data-label="Layer"><span title="${layer}">${tail(layer)}</span> <span class="soft">${op}</span></td>
    ${cells.map(([text, key], i) => html`<td class="n" data-label="${heads[i + 1]}" data-key="${key}">${text}</td>`)}</tr>`;
  })}</tbody></table></div>`;
}

function card({ layer, before, after }: WeightChange): Markup {
  const scale = scaleOf([...before.channels, ...after.channels]);
  const side = (name: string, { channels, outliers, spread, shape }: WeightSide) =>
    html`<p class="soft" style="margin:6px 0">${name}: ${shape.join("×")}, spread ${short(spread)}, ${deviations(channels)}, ${outlierNames(outliers)}</p>
    ${weightSpread(`weights of ${layer} ${name}`, channels, new Set(outliers), scale, 110)}`;
  return html`<div class="card"><h3 title="${layer}">${tail(layer)}</h3>${side("before", before)}${side("after", after)}</div>`;
}

/** Mean of the deviations of what is drawn: how much the channels hold at all. */
function deviations(channels: readonly ChannelWeights[]): string {
  const mean = channels.reduce((sum, { deviation }) => sum + deviation, 0) / Math.max(channels.length, 1);
  return `deviation ${short(Number(mean.toPrecision(3)))}`;
}
