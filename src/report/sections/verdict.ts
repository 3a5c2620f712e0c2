/** The verdict first: one sentence, then accuracy, agreement, size and latency, float beside quantized. */
import { pairBars } from "../charts/pair-bars.ts";
import { html, type Markup } from "../markup.ts";
import type { RunReport } from "../run-report.ts";
import { bytes, milliseconds, percent } from "../words.ts";

/** One sentence that a reader may take away alone. */
export function verdictSentence(report: RunReport): string {
  const smaller = report.bytes.float / report.bytes.quantized;
  const faster = report.latencyMs.float / report.latencyMs.quantized;
  const size = `${smaller.toFixed(1)}× smaller`;
  const speed =
    faster >= 1.05 ? `${faster.toFixed(1)}× faster` : faster > 0.95 ? "as fast" : `${(1 / faster).toFixed(1)}× slower`;
  if (report.score) {
    const lost = 100 * (report.score.float - report.score.quantized);
    const accuracy =
      lost > 0.005
        ? `loses ${lost.toFixed(2)} points`
        : lost < -0.005
          ? `gains ${(-lost).toFixed(2)} points`
          : "keeps its score";
    return `${report.model.name} ${accuracy}, is ${size} and ${speed}.`;
  }
  const { float } = report.agreement;
  const agrees = float === null ? "is quantized" : `decides like float on ${percent(float, 1)} of the samples`;
  return `${report.model.name} ${agrees}, is ${size} and ${speed}.`;
}

export function verdict(report: RunReport): Markup {
  const { score, agreement, latencyMs, bytes: size } = report;
  return html`<header><p>Avocet quantization report · target ${report.settings.target ?? ""} · ${report.runtime}</p>
    <h1>${verdictSentence(report)}</h1>
    <p>${Object.entries(report.settings).map(([key, value]) => html`${key} <code>${value}</code> &ensp;`)}</p></header>
  <div class="tiles">
    ${score ? scoreTile(score) : null}
    ${agreementTile(agreement, report.agreementSamples)}
    <div class="card tile"><span class="label">File size</span><b>${(size.float / size.quantized).toFixed(2)}×&thinsp;smaller</b>
      ${pairBars([
        { label: "float", value: size.float, text: bytes(size.float) },
        { label: "quantized", value: size.quantized, text: bytes(size.quantized) },
      ])}</div>
    <div class="card tile"><span class="label">Latency, one sample, ${report.runtime}</span>${speed(latencyMs.float / latencyMs.quantized)}
      ${pairBars([
        { label: "float", value: latencyMs.float, text: milliseconds(latencyMs.float) },
        { label: "quantized", value: latencyMs.quantized, text: milliseconds(latencyMs.quantized) },
      ])}</div>
  </div>`;
}

function speed(ratio: number): Markup {
  if (ratio >= 1) return html`<b>${ratio.toFixed(2)}×&thinsp;faster</b>`;
  return html`<b class="warn">${(1 / ratio).toFixed(2)}×&thinsp;slower</b>`;
}

function scoreTile(score: NonNullable<RunReport["score"]>): Markup {
  const lost = score.float - score.quantized;
  const mood = lost > 0.02 ? "bad" : lost > 0.01 ? "warn" : "good";
  return html`<div class="card tile"><span class="label">${score.metric}, ${score.samples} samples</span>
    <b class="${mood}">${lost > 0 ? "−" : "+"}${Math.abs(100 * lost).toFixed(2)} points</b>
    ${pairBars(
      [
        { label: "float", value: score.float, text: percent(score.float) },
        { label: "quantized", value: score.quantized, text: percent(score.quantized) },
      ],
      1,
    )}</div>`;
}

function agreementTile(agreement: RunReport["agreement"], samples: number): Markup | null {
  const { float, simulation } = agreement;
  if (float === null) return null;
  const mood = float < 0.9 ? "bad" : float < 0.97 ? "warn" : "good";
  return html`<div class="card tile"><span class="label">Same decision as float, ${samples} samples</span><b class="${mood}">${percent(float, 1)}</b>
    <span class="label">${
      simulation === null
        ? null
        : simulation === 1
          ? "The integer kernels decide exactly like the simulation."
          : `The integer kernels decide like the simulation on ${percent(simulation, 2)}.`
    }</span></div>`;
}
