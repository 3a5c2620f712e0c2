/** What the runtime makes of the file: integer kernels, layers that stay float and why, and where kernels differ. */
import { html, type Markup } from "../markup.ts";
import type { RunReport } from "../run-report.ts";
import { percent, plural, tail } from "../words.ts";

const shownRows = 60;
const shownDifferences = 6;

export function kernelSection(report: RunReport): Markup {
  const { integer, float } = report.kernels;
  return html`<h2>On the runtime</h2>
  <p>${plural(integer, "layer")} run as integer kernels${float.length === 0 ? ", none of the plan's layers stays in float." : html`, ${plural(float.length, "layer")} of the plan ${float.length === 1 ? "stays" : "stay"} in float:`}</p>
  ${
    float.length > 0
      ? table(
          ["Layer", "Why it stays in float"],
          float.map((k) => [k.node, k.reason]),
        )
      : null
  }
  ${report.differences.length > 0 ? differences(report) : null}`;
}

function differences(report: RunReport): Markup {
  const rows = report.differences.map((d) => [
    d.layer,
    percent(d.differing, d.differing < 0.00001 ? 5 : 3),
    `${d.maxSteps} ${d.maxSteps === 1 ? "step" : "steps"}`,
  ]);
  const [first, rest] = [rows.slice(0, shownDifferences), rows.slice(shownDifferences)];
  const head = ["Layer", "Integers that differ", "At most"];
  return html`<p class="soft">Fed with the same integers, these layers give other integers with the runtime's integer kernels than simulated. One step is
    rounding: integer kernels requantize once where the simulation rounds in float.</p>${table(head, first)}
  ${rest.length > 0 ? html`<details><summary>${plural(rest.length, "more layer")}</summary>${table(head, rest)}</details>` : null}`;
}

export function leftSection(report: RunReport): Markup | null {
  if (report.notQuantized.length === 0) return null;
  const byReason = new Map<string, string[]>();
  for (const { value, reason } of report.notQuantized) byReason.set(reason, [...(byReason.get(reason) ?? []), value]);
  return html`<h2>Not quantized</h2><p>Float values without a quantizer of their own, by rule.</p>
  ${table(
    ["Rule", "Values"],
    [...byReason].map(([reason, values]) => [
      reason,
      `${values.length}: ${values
        .slice(0, 4)
        .map((v) => tail(v, 36))
        .join(", ")}${values.length > 4 ? " …" : ""}`,
    ]),
  )}`;
}

export function stepSection(report: RunReport): Markup {
  const rows = report.steps.filter((s) => s.edits > 0 || s.notes.length > 0);
  return html`<h2>What was done</h2><p>${Object.entries(report.seconds).map(([key, s]) => html`${key} ${s.toFixed(2)} s &ensp;`)}</p>
  ${table(
    ["Step", "Edits", "What was done or skipped, and why"],
    rows.map((s) => [s.step, String(s.edits), notesOf(s.notes)]),
  )}`;
}

const shownNotes = 3;

function notesOf(notes: readonly string[]): Markup {
  const [first, rest] = [notes.slice(0, shownNotes), notes.slice(shownNotes)];
  const lines = (shown: readonly string[]) => shown.map((note) => html`<div>${note}</div>`);
  return html`${lines(first)}${rest.length > 0 ? html`<details><summary>${plural(rest.length, "more note")}</summary>${lines(rest)}</details>` : null}`;
}

function table(head: readonly string[], rows: readonly (readonly (string | Markup)[])[]): Markup {
  return html`<div class="card scroll"><table><thead><tr>${head.map((cell) => html`<th>${cell}</th>`)}</tr></thead>
    <tbody>${rows.slice(0, shownRows).map((row) => html`<tr>${row.map((cell, i) => html`<td data-label="${head[i]}">${cell}</td>`)}</tr>`)}</tbody></table>
    ${rows.length > shownRows ? html`<p class="soft">… and ${rows.length - shownRows} more in report.json</p>` : null}</div>`;
}
