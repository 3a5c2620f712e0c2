/** What `compress` prints at the end: costs, what the result is worth, what became of each layer. */
import {
  arrivalText,
  bytes as bytesText,
  type CompressionReport,
  change,
  decibels,
  decisions,
  figure,
  milliseconds,
  percent,
  plural,
  scoreLoss,
} from "../report/inner.ts";

/** ", lost 4.67 points, 95 % interval 1.20 points to 8.10 points". */
function lossText(score: NonNullable<CompressionReport["score"]>): string {
  if (!score.interval) return "";
  const [low, high] = score.interval.lost.map((end) => change(end, score));
  const lost = change(scoreLoss({ ...score, quantized: score.compressed }), score);
  return `, lost ${lost}, 95 % interval ${low} to ${high}`;
}

/** What `compress` prints at the end. */
export function compressionSummary(report: CompressionReport, output: string): string {
  const { cost, bytes, layers, score, agreement, outputs, latencyMs, sensitivities, notes } = report;
  const line = (what: string, before: number, after: number, shown: (value: number) => string) =>
    `${what.padEnd(12)}${shown(before)} → ${shown(after)} (${percent(after / before, 1)})\n`;
  const arrival = arrivalText(report);
  const number = (value: number) => value.toLocaleString("en");
  return [
    line("MACs", cost.before.macs, cost.after.macs, number),
    line("parameters", cost.before.parameters, cost.after.parameters, number),
    line("file", bytes.before, bytes.after, bytesText),
    score
      ? `${score.name.padEnd(12)}${figure(score.float, score.unit)} → ${figure(score.compressed, score.unit)}${lossText(score)}\n`
      : "",
    agreement && agreement.float !== null
      ? `same class  ${percent(agreement.float)} of the ${decisions(agreement.of, report.agreementSamples)}${agreement.interval ? `, 95 % interval ${agreement.interval.map((end) => percent(end, 1)).join(" to ")}` : ""}\n`
      : "",
    ...(score || (agreement && agreement.float !== null)
      ? []
      : outputs.map(({ name, sqnr }) => `output      ${decibels(sqnr)} ${name}\n`)),
    latencyMs
      ? `latency     ${milliseconds(latencyMs.before)} → ${milliseconds(latencyMs.after)}${arrival === null ? "" : `, ${arrival}`}\n`
      : "",
    ...report.warnings.map((warning) => `warning: ${warning.text}\n`),
    ...layers.map(
      ({ layer, scheme, rank, macs }) =>
        `  ${layer}: ${scheme} ${rank}, ${percent(macs[1] / macs[0], 0)} of its MACs\n`,
    ),
    ...notes.map((note) => `note: ${note}\n`),
    ...stays(sensitivities.refused),
    `${output} is written.\n`,
  ].join("");
}

/** One line a reason: networks have dozens of depthwise layers. */
function stays(refused: CompressionReport["sensitivities"]["refused"]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { layer, reason } of refused) byReason.set(reason, [...(byReason.get(reason) ?? []), layer]);
  return [...byReason].map(
    ([reason, [first, ...others]]) =>
      `  stays ${first}${others.length === 0 ? "" : ` and ${plural(others.length, "other layer")}`}: ${reason}\n`,
  );
}
