/** What to try next, from what was measured: each advice names the figure it rests on. */
import { html, type Markup } from "../markup.ts";
import type { RunReport } from "../run-report.ts";
import { decibels, percent, plural, tail } from "../words.ts";
import { spread } from "./weights.ts";

/** Sentences, the most useful first; never empty. */
export function nextSteps(report: RunReport): string[] {
  const advice: string[] = [];
  const lost = report.score ? report.score.float - report.score.quantized : 1 - (report.agreement.float ?? 1);
  const uneven = report.weights.filter((w) => w.granularity === "tensor" && spread(w) > 8);
  if (lost > 0.005 && uneven.length > 0) {
    advice.push(
      `${plural(uneven.length, "weight")} per tensor have channels of very different size (${tail(uneven[0]!.name)}: widest ÷ median ${spread(uneven[0]!).toFixed(0)}). Try --granularity channel.`,
    );
  }
  const drop = biggestDrop(report);
  if (lost > 0.005 && drop) {
    advice.push(
      `The signal falls most at ${drop.op} ${tail(drop.name)} (${decibels(drop.fall)} in one step). Keep it in float with --float, or give it more bits, and compare.`,
    );
  }
  const clipped = report.values.filter((v) => (v.quantizer?.clipped ?? 0) > 0.005);
  if (lost > 0.005 && clipped.length > 0) {
    advice.push(
      `${plural(clipped.length, "value")} lose more than 0.5 % of their numbers to clipping (${tail(clipped[0]!.name)}: ${percent(clipped[0]!.quantizer!.clipped)}). Try --calibration minmax or percentile:99.99.`,
    );
  }
  if (lost > 0.02 && report.settings.activations === "uint8") {
    advice.push(
      "16-bit activations (--activations uint16) tell how much of the loss comes from activations; the kernels then run in float on this runtime.",
    );
  }
  if (report.kernels.float.length > 0) {
    advice.push(
      `${plural(report.kernels.float.length, "layer")} of the plan run in float on ${report.runtime}: see the reasons above; each costs two conversions.`,
    );
  }
  if (report.latencyMs.quantized > report.latencyMs.float) {
    advice.push(
      "The quantized file is slower than float here. Small layers are dominated by conversions; measure on the device that will run it.",
    );
  }
  if (!report.score)
    advice.push("No labelled data was given: --evaluate DATA --labels LABELS measures accuracy instead of agreement.");
  if (advice.length === 0) advice.push("Nothing stands out. Ship it; --weights int4 shows how much smaller it can be.");
  return advice;
}

/** The value whose SQNR is furthest below that of the value before it. */
function biggestDrop(report: RunReport): { name: string; op: string; fall: number } | null {
  let best: { name: string; op: string; fall: number } | null = null;
  for (let i = 1; i < report.values.length; i++) {
    const [before, now] = [report.values[i - 1]!, report.values[i]!];
    const fall = before.sqnr - now.sqnr;
    if (Number.isFinite(fall) && fall > (best?.fall ?? 6)) best = { name: now.name, op: now.op, fall };
  }
  return best;
}

export function nextSection(report: RunReport): Markup {
  return html`<h2>What to try next</h2><p></p><div class="card"><ul class="next">${nextSteps(report).map((text) => html`<li>${text}</li>`)}</ul></div>`;
}
