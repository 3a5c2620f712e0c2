/** What `quantize` tells people at the end: a small table, the settings, where things are. */
import { join } from "node:path";
import { bytes, milliseconds, percent, type RunReport } from "../report/index.ts";

export function summary(report: RunReport, output: string): string {
  const { score, agreement, latencyMs, settings } = report;
  const row = (name: string, float: string, quantized: string) =>
    `  ${name.padEnd(12)}${float.padStart(12)}${quantized.padStart(12)}\n`;
  return [
    row("", "float", "quantized"),
    score ? row(score.metric, percent(score.float), percent(score.quantized)) : "",
    agreement.float === null ? "" : row("agreement", "", percent(agreement.float)),
    row("size", bytes(report.bytes.float), bytes(report.bytes.quantized)),
    row("latency", milliseconds(latencyMs.float), milliseconds(latencyMs.quantized)),
    `\n${Object.entries(settings)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ")}\n`,
    ...undone(report).map((line) => `${line}\n`),
    `${join(output, "model.onnx")} ships; ${join(output, "report.html")} explains.\n`,
  ].join("");
}

/** The steps that the preset `best` took back, with its figures. */
function undone({ steps }: RunReport): string[] {
  return steps.flatMap(({ step, notes }) => (notes[0]?.startsWith("undone: ") ? [`${step} ${notes[0]}`] : []));
}
