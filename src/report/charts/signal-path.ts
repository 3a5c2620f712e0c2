/** SQNR along the graph: a dot a value in the order of execution, coloured by how bad it is. */
import { html, type Markup } from "../markup.ts";
import { decibels, short, tail } from "../words.ts";

export interface SignalPoint {
  readonly name: string;
  readonly op: string;
  readonly sqnr: number;
}

const left = 44;
const width = 1000;
const height = 250;

/** More than float32 has (144 dB and what averaging adds): what claims more is drawn at the top, next to what is exact. */
const highest = 200;

/** Exact values (no noise) are drawn at the top. */
export function signalPath(all: readonly SignalPoint[]): Markup {
  const points = all.filter(({ sqnr }) => !Number.isNaN(sqnr));
  const finite = points.map((p) => p.sqnr).filter(Number.isFinite);
  const low = finite.reduce((least, db) => Math.max(-40, Math.min(least, db)), 0);
  const high = finite.reduce((most, db) => Math.min(highest, Math.max(most, db)), 60);
  const x = (i: number) => left + ((width - left - 10) * (i + 0.5)) / Math.max(points.length, 1);
  const y = (db: number) => 10 + ((height - 40) * (high - Math.max(low, Math.min(db, high)))) / (high - low);
  const ticks = Array.from(
    { length: Math.floor((high - low) / 20) + 1 },
    (_, i) => Math.ceil(low / 20) * 20 + 20 * i,
  ).filter((t) => t <= high);
  const path = points.map((p, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(p.sqnr).toFixed(1)}`).join("");
  const radius = short(Math.max(1.8, Math.min(4, 260 / points.length)));
  return html`<svg class="wide" viewBox="0 0 ${width} ${height}" role="img" aria-label="SQNR of every value along the graph">
    ${ticks.map((t) => html`<line class="axis" x1="${left}" x2="${width}" y1="${y(t)}" y2="${y(t)}"/><text x="0" y="${y(t) + 4}">${t} dB</text>`)}
    <path class="path" d="${path}"/>
    ${points.map((p, i) => html`<circle class="dot ${grade(p.sqnr)}" cx="${x(i).toFixed(1)}" cy="${y(p.sqnr).toFixed(1)}" r="${radius}"><title>${p.op} ${tail(p.name)}: ${decibels(p.sqnr)}</title></circle>`)}
    <text x="${left}" y="${height - 6}">first operator</text><text x="${width - 10}" y="${height - 6}" text-anchor="end">output →</text></svg>`;
}

/** Under 10 dB a tenth of the signal's power is noise; under 20 dB a hundredth. */
export function grade(sqnr: number): "" | "warn" | "bad" {
  if (sqnr < 10) return "bad";
  return sqnr < 20 ? "warn" : "";
}
