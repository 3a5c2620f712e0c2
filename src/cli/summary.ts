/** What `quantize` prints at the end: a small table with intervals, warnings, the settings, where things are. */
import { join } from "node:path";
import type { Interval } from "../analysis/inner.ts";
import {
  bytes,
  change,
  decibels,
  decisions,
  figure,
  milliseconds,
  percent,
  type RunReport,
  scoreLoss,
} from "../report/inner.ts";

export function summary(report: RunReport, output: string): string {
  const { score, agreement, latencyMs, settings, outputs, warnings } = report;
  const row = (name: string, float: string, quantized: string, more = "") =>
    `  ${name.padEnd(12)}${float.padStart(12)}${quantized.padStart(12)}${more ? `   ${more}` : ""}\n`;
  return [
    row("", "float", "quantized"),
    score
      ? row(
          score.metric,
          figure(score.float, score.unit),
          figure(score.quantized, score.unit),
          score.interval
            ? `lost ${change(scoreLoss(score), score)}, 95 % interval ${change(score.interval.lost[0], score)} to ${change(score.interval.lost[1], score)}`
            : "",
        )
      : "",
    score?.interval
      ? row("  95 %", range(score.interval.float, score.unit), range(score.interval.quantized, score.unit))
      : "",
    agreement.float === null
      ? ""
      : row(
          "same class",
          "",
          percent(agreement.float),
          `${decisions(agreement.of, report.agreementSamples)}${agreement.interval ? `, 95 % interval ${range(agreement.interval, "%")} %` : ""}`,
        ),
    ...(score || agreement.float !== null
      ? []
      : outputs.map(({ name, sqnr }) => row("output", "", decibels(sqnr), name))),
    score || agreement.float !== null || outputs.length === 0
      ? ""
      : `  no share of equal decisions: ${agreement.why.join("; ")}\n`,
    row("size", bytes(report.bytes.float), bytes(report.bytes.quantized)),
    latencyMs ? row("latency", milliseconds(latencyMs.float), milliseconds(latencyMs.quantized)) : "",
    `\n${Object.entries(settings)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ")}\n`,
    ...[...otherwisePlaced(report), ...undone(report)].map((line) => `${line}\n`),
    ...warnings.map(({ text }) => `warning: ${text}\n`),
    `${join(output, "model.onnx")} ships; ${join(output, "report.html")} explains.\n`,
  ].join("");
}

/** Score, size and latency of both, in a row each. */
export function figureRows({ score, bytes: size, latencyMs }: Pick<RunReport, "score" | "bytes" | "latencyMs">) {
  const rows: (readonly [string, string, string])[] = [];
  if (score) rows.push([score.metric, figure(score.float, score.unit), figure(score.quantized, score.unit)]);
  rows.push(["size", bytes(size.float), bytes(size.quantized)]);
  if (latencyMs) rows.push(["latency", milliseconds(latencyMs.float), milliseconds(latencyMs.quantized)]);
  return rows;
}

/** In the unit, without it: "45.1–58.9". */
function range(ends: Interval, unit: string): string {
  return ends.map((end) => (unit === "%" ? (100 * end).toFixed(1) : figure(end, ""))).join("–");
}

/** The steps that the preset `best` took back, with its figures. */
function undone({ steps }: RunReport): string[] {
  return steps.flatMap(({ step, notes }) => (notes[0]?.startsWith("undone: ") ? [`${step} ${notes[0]}`] : []));
}

/** What could not be placed as asked: the first of them, the report has all. */
function otherwisePlaced({ steps }: RunReport): string[] {
  const notes = steps.find(({ step }) => step === "place")?.notes ?? [];
  const more = notes.length > 3 ? [`… and ${notes.length - 3} more, in the report`] : [];
  return [...notes.slice(0, 3), ...more];
}
