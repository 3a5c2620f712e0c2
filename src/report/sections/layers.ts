/** Every operator in a table that can be sorted and searched: what it costs, on which grid it is, what it keeps, what runs it. */
import { grade } from "../charts/signal-path.ts";
import { html, type Markup } from "../markup.ts";
import type { LayerReport, RunReport } from "../run-report.ts";
import { bytes, count, decibels, tail } from "../words.ts";

/** Beyond that a page is slow; all are in report.json. */
const shownRows = 2000;

interface Column {
  readonly title: string;
  /** Numbers are aligned and sorted as such. */
  readonly number?: true;
  cell(layer: LayerReport): string | Markup;
  /** What it is sorted by; undefined comes last. */
  key(layer: LayerReport): string | number | undefined;
}

const columns: readonly Column[] = [
  { title: "Layer", cell: ({ name }) => html`<span title="${name}">${tail(name)}</span>`, key: ({ name }) => name },
  { title: "Operator", cell: ({ op }) => op, key: ({ op }) => op },
  {
    title: "MACs",
    number: true,
    cell: ({ macs }) => (macs === null ? "?" : macs === 0 ? "" : count(macs)),
    key: ({ macs }) => macs ?? undefined,
  },
  { title: "Bytes", number: true, cell: (l) => (l.bytes === 0 ? "" : bytes(l.bytes)), key: (l) => l.bytes },
  { title: "Bits", cell: bitsOf, key: bitsOf },
  {
    title: "SQNR",
    number: true,
    cell: ({ sqnr }) => (sqnr === undefined ? "" : html`<span class="${grade(sqnr)}">${decibels(sqnr)}</span>`),
    key: ({ sqnr }) => (sqnr === undefined || Number.isNaN(sqnr) ? undefined : Math.min(sqnr, 1e6)),
  },
  { title: "Kernel", cell: ({ kernel }) => kernel ?? "", key: ({ kernel }) => kernel ?? "" },
];

/** "int8 / uint8": the grids of weight and result; "float" where both are. */
function bitsOf({ weight, activation }: LayerReport): string {
  if (!weight && !activation) return "float";
  return weight ? `${weight} / ${activation ?? "float"}` : activation!;
}

export function layerSection(report: RunReport): Markup | null {
  const { layers } = report;
  if (layers.length === 0) return null;
  const shown = layers.slice(0, shownRows);
  return html`<h2>Layers</h2>
  <p>Every operator of the prepared model in the order of execution: multiply-accumulates of one sample, bytes of its constants as they are stored,
    the grids of its weight and of what it computes, how much signal that keeps, and what runs the products and convolutions.</p>
  <div class="card sheet"><input type="search" class="filter" placeholder="name, operator, grid or kernel" aria-label="filter layers" hidden>
  <table class="layers"><thead><tr>${columns.map(({ title, number }) => html`<th class="${number ? "n" : ""}" data-sort="${number ? "number" : "text"}">${title}</th>`)}</tr></thead>
    <tbody>${shown.map(
      (layer) =>
        html`<tr>${columns.map(
          ({ title, number, cell, key }) =>
            html`<td class="${number ? "n" : ""}" data-label="${title}"${number ? html` data-key="${key(layer) ?? ""}"` : null}>${cell(layer)}</td>`,
        )}</tr>`,
    )}</tbody></table>
    ${layers.length > shownRows ? html`<p class="soft">… and ${layers.length - shownRows} more in report.json</p>` : null}</div>`;
}
