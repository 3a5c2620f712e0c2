/** Weight ranges per output channel: thin bars from minimum to maximum, with the limit of the grid as a line. */
import { html, type Markup } from "../markup.ts";
import { short } from "../words.ts";

const width = 300;
const height = 96;

/** More channels than pixels are merged: a bar then shows the extremes of its neighbours. */
export function channelRanges(min: readonly number[], max: readonly number[], limit: readonly number[]): Markup {
  const bars = Math.min(min.length, 150);
  const per = min.length / bars;
  const reach = Math.max(...max.map(Math.abs), ...min.map(Math.abs), 1e-12);
  const y = (v: number) => height / 2 - (v / reach) * (height / 2 - 4);
  let shape = "";
  let line = "";
  for (let i = 0; i < bars; i++) {
    const [from, to] = [Math.floor(i * per), Math.max(Math.floor(i * per) + 1, Math.floor((i + 1) * per))];
    const low = Math.min(...min.slice(from, to));
    const high = Math.max(...max.slice(from, to));
    const x = (width * i) / bars;
    const w = Math.max(0.7, width / bars - 0.6);
    shape += `M${x.toFixed(1)} ${y(high).toFixed(1)}h${w.toFixed(1)}V${Math.max(y(low), y(high) + 0.5).toFixed(1)}h${(-w).toFixed(1)}z`;
    const l = Math.min(reach, limit.length === 1 ? limit[0]! : Math.max(...limit.slice(from, to)));
    line += `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y(l).toFixed(1)}H${(x + width / bars).toFixed(1)}`;
  }
  return html`<svg viewBox="0 0 ${width} ${height + 14}" role="img" aria-label="weight ranges per channel">
    <line class="axis" x1="0" x2="${width}" y1="${height / 2}" y2="${height / 2}"/>
    <path class="f" d="${shape}"/><path class="edge" fill="none" d="${line}"/>
    <text x="0" y="${height + 12}">${min.length} channels</text><text x="${width}" y="${height + 12}" text-anchor="end">±${short(reach)}</text></svg>`;
}
