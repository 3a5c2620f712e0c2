/** The verdict first: one sentence, what it must not hide, then accuracy, agreement, size and latency, float next to quantized. */
import { pairBars } from "../charts/pair-bars.ts";
import { html, type Markup } from "../markup.ts";
import type { JudgedOn, RunReport, ScoreReport } from "../run-report.ts";
import { lossBounds, scoreLoss } from "../score.ts";
import { voidsScore } from "../warnings.ts";
import { bytes, change, decibels, decisions, figure, milliseconds, percent, plural } from "../words.ts";

/** One sentence that a reader may take away alone. */
export function verdictSentence(report: RunReport): string {
  const { name } = report.model;
  return `${name} ${accuracyOf(report)}, is ${sizeOf(report.bytes)}${speedOf(report.latencyMs)}.`;
}

function sizeOf({ float, quantized }: RunReport["bytes"]): string {
  const smaller = float / quantized;
  if (smaller >= 1.05) return `${smaller.toFixed(1)}× smaller`;
  return smaller > 0.95 ? "as large" : `${(1 / smaller).toFixed(1)}× larger`;
}

function speedOf(latencyMs: RunReport["latencyMs"]): string {
  if (!latencyMs) return "";
  const faster = latencyMs.float / latencyMs.quantized;
  if (faster >= 1.05) return ` and ${faster.toFixed(1)}× faster`;
  return faster > 0.95 ? " and as fast" : ` and ${(1 / faster).toFixed(1)}× slower`;
}

function accuracyOf({ score, agreement, warnings, outputs }: RunReport): string {
  if (score && warnings.some(voidsScore))
    return `was not judged (float scores ${figure(score.float, score.unit)}, see the warnings)`;
  if (score) {
    const lost = scoreLoss(score);
    const shown = (value: number) => change(value, score);
    const range = score.interval?.lost;
    const noise = range && range[0] <= 0 && range[1] >= 0;
    const doubt = noise ? `, within noise (${shown(range[0])} to ${shown(range[1])} of loss)` : "";
    if (Math.abs(lost) <= lossBounds(score).same)
      return `scores as float on ${plural(score.samples, "sample")}${doubt}`;
    return `${lost > 0 ? `loses ${shown(lost)}` : `gains ${shown(-lost)}`}${doubt}`;
  }
  if (agreement.float !== null) {
    return `chooses the same class as float for ${percent(agreement.float, 1)} of the ${agreement.of ?? "samples"}`;
  }
  const lowest = outputs.length > 0 ? Math.min(...outputs.map(({ sqnr }) => sqnr)) : Number.NaN;
  if (lowest === Number.POSITIVE_INFINITY) return "gives the same outputs as float";
  return Number.isNaN(lowest) ? "is quantized" : `keeps its outputs to ${decibels(lowest)}`;
}

export function verdict(report: RunReport): Markup {
  const { score, agreement, latencyMs, bytes: size, warnings } = report;
  return html`<header><p>Avocet quantization report · target ${report.settings.target ?? ""} · ${report.runtime}</p>
    <h1>${verdictSentence(report)}</h1>
    <p class="settings">${Object.entries(report.settings).map(([key, value]) => html`<span>${key} <code>${value}</code></span> `)}</p></header>
  ${warnings.length > 0 ? html`<ul class="warnings">${warnings.map(({ text }) => html`<li>${text}</li>`)}</ul>` : null}
  <div class="tiles">
    ${score ? scoreTile(score, warnings.some(voidsScore)) : null}
    ${agreementTile(agreement, report)}
    ${score || agreement.float !== null ? null : outputTile(report)}
    <div class="card tile"><span class="label">File size</span>${sizeTitle(size.float / size.quantized)}
      ${pairBars([
        { label: "float", value: size.float, text: bytes(size.float) },
        { label: "quantized", value: size.quantized, text: bytes(size.quantized) },
      ])}</div>
    ${latencyMs ? latencyTile(latencyMs, report.runtime) : null}
  </div>`;
}

function sizeTitle(ratio: number): Markup {
  return ratio >= 1
    ? html`<b>${ratio.toFixed(2)}×&thinsp;smaller</b>`
    : html`<b class="warn">${(1 / ratio).toFixed(2)}×&thinsp;larger</b>`;
}

function latencyTile({ float, quantized }: NonNullable<RunReport["latencyMs"]>, runtime: string): Markup {
  const ratio = float / quantized;
  return html`<div class="card tile"><span class="label">Latency, one sample, ${runtime}</span>${
    ratio >= 1
      ? html`<b>${ratio.toFixed(2)}×&thinsp;faster</b>`
      : html`<b class="warn">${(1 / ratio).toFixed(2)}×&thinsp;slower</b>`
  }
      ${pairBars([
        { label: "float", value: float, text: milliseconds(float) },
        { label: "quantized", value: quantized, text: milliseconds(quantized) },
      ])}</div>`;
}

function scoreTile(score: ScoreReport, worthless: boolean): Markup {
  const lost = scoreLoss(score);
  const { same, bearable, bad } = lossBounds(score);
  const mood = worthless || lost > bad ? "bad" : lost > bearable ? "warn" : "good";
  // What stands there is how the score moved: errors grow where they get worse.
  const moved = score.better === "higher" ? -lost : lost;
  const sign = moved < -same ? "−" : moved > same ? "+" : "±";
  const { interval, unit } = score;
  const shown = (value: number) => change(value, score);
  const range = ([low, high]: readonly [number, number]) => `${figure(low, unit, 1)} to ${figure(high, unit, 1)}`;
  return html`<div class="card tile"><span class="label">${score.metric}, ${plural(score.samples, "sample")}</span>
    <b class="${mood}">${sign}${shown(Math.abs(lost))}</b>
    ${pairBars(
      [
        { label: "float", value: score.float, text: figure(score.float, unit) },
        { label: "quantized", value: score.quantized, text: figure(score.quantized, unit) },
      ],
      unit === "%" ? 1 : undefined,
    )}
    ${
      interval
        ? html`<span class="label">95 % intervals: float ${range(interval.float)}, quantized ${range(interval.quantized)}, loss ${shown(interval.lost[0])} to
      ${shown(interval.lost[1])}${score.p === null ? null : html` (McNemar p = ${score.p.toPrecision(2)})`}</span>`
        : null
    }</div>`;
}

const range = ([low, high]: readonly [number, number]): string => `${percent(low, 1)} to ${percent(high, 1)}`;

function agreementTile(agreement: RunReport["agreement"], { agreementSamples, judgedOn }: RunReport): Markup | null {
  const { float, simulation, of, interval } = agreement;
  if (float === null) return null;
  const mood = float < 0.9 ? "bad" : float < 0.97 ? "warn" : "good";
  return html`<div class="card tile"><span class="label">Same class as float, ${decisions(of, agreementSamples)}${judgedOn ? `, ${judgedText(judgedOn)}` : ""}</span>
    <b class="${mood}">${percent(float, 1)}</b>
    <span class="label">${interval ? `95 % interval ${range(interval)}. ` : ""}${
      simulation === null
        ? null
        : simulation === 1
          ? "The integer kernels decide exactly like the simulation."
          : `The integer kernels decide like the simulation on ${percent(simulation, 2)}.`
    }</span></div>`;
}

/** Where samples came from: "that calibration did not see". */
export function judgedText({ data, seen, samples }: JudgedOn): string {
  if (data === "noise") return "of noise";
  if (data === "nothing") return "of nothing";
  if (seen === 0) return "none of them used by the run itself";
  const use = data === "training" ? "training" : "calibration";
  return seen === samples ? `all used by ${use}, too` : `${seen} of them used by ${use}, too`;
}

/** For models without classes: how near their outputs are. */
function outputTile({ outputs, agreement }: RunReport): Markup | null {
  if (outputs.length === 0) return null;
  const lowest = outputs.reduce((a, b) => (b.sqnr < a.sqnr || Number.isNaN(b.sqnr) ? b : a));
  const mood = lowest.sqnr >= 20 ? "good" : lowest.sqnr >= 10 ? "warn" : "bad";
  return html`<div class="card tile"><span class="label">Output ${lowest.name} against float${outputs.length > 1 ? ", the noisiest" : ""}</span>
    <b class="${mood}">${decibels(lowest.sqnr)}</b>
    <span class="label">cosine ${lowest.cosine.toFixed(5)}. No share of equal decisions: ${agreement.why.slice(0, 2).join("; ") || "no output holds classes"}.</span></div>`;
}
