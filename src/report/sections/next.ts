/** What to try next, from what was measured: each advice names the figure it rests on. */
import { html, type Markup } from "../markup.ts";
import type { RunReport, ValueReport } from "../run-report.ts";
import { decibels, percent, plural, tail } from "../words.ts";
import { spread } from "./weights.ts";

/** Half a point: less is within the noise of a few thousand samples. */
const noticeable = 0.005;

/** Sentences, the most useful first; never empty. */
export function nextSteps(report: RunReport): string[] {
  const lost = report.score ? report.score.float - report.score.quantized : 1 - (report.agreement.float ?? 1);
  const advice = [...(lost > noticeable ? remedies(report) : []), ...facts(report)];
  if (advice.length > 0) return advice;
  return report.settings.weights?.startsWith("int8")
    ? ["Nothing stands out. Ship it; --weights int4 shows how much smaller it can be."]
    : ["Nothing stands out. Ship it."];
}

/** What may bring back a score that was lost. */
function remedies(report: RunReport): string[] {
  const advice: string[] = [];
  const uneven = report.weights.filter((w) => w.granularity === "tensor" && spread(w) > 8);
  const [widest] = [...uneven].sort((a, b) => spread(b) - spread(a));
  if (widest) {
    advice.push(
      `${plural(uneven.length, "weight")} with one scale per tensor ${uneven.length === 1 ? "has" : "have"} channels of very different size (${tail(widest.name)}: widest ÷ median ${spread(widest).toFixed(0)}). Try --granularity channel.`,
    );
  }
  if (report.ties !== null && report.ties > 0.02) {
    advice.push(
      `On ${percent(report.ties, 1)} of the decisions several classes share the highest score: the grid of the output is too coarse to tell them apart. Keep the last layer and what follows it in float with --float.`,
    );
  }
  const fall = mostNoise(report);
  if (fall) {
    const names = [fall.layer, fall.name].filter((name, i, all) => name !== undefined && all.indexOf(name) === i);
    advice.push(
      `Most noise is added at ${fall.op} ${tail(fall.name)}: its signal falls by ${decibels(fall.fall!)}, to ${decibels(fall.sqnr)}. Keep it in float and compare: ${names.map((name) => `--float ${name}`).join(" ")}`,
    );
  }
  const [clipped] = report.values
    .filter((v) => (v.quantizer?.clipped ?? 0) > 0.005)
    .sort((a, b) => b.quantizer!.clipped - a.quantizer!.clipped);
  if (clipped && report.settings.calibration !== "minmax") {
    advice.push(
      `${tail(clipped.name)} loses ${percent(clipped.quantizer!.clipped)} of its numbers to clipping. --calibration minmax clips nothing; compare.`,
    );
  }
  if (report.settings.activations === "uint8") {
    advice.push(
      `--activations uint16 tells how much of the loss comes from activations. On ${report.runtime} the products then run in float: it is an experiment, not what to ship there.`,
    );
  }
  return advice;
}

/** What a reader should know whatever the score. */
function facts(report: RunReport): string[] {
  const advice: string[] = [];
  const { float, integer } = report.kernels;
  const { latencyMs } = report;
  if (latencyMs.quantized > 1.05 * latencyMs.float) {
    const why =
      float.length > integer
        ? `most of its products run in float there (see above)`
        : `small layers spend their time on conversions`;
    advice.push(
      `The quantized file is slower than float on this machine: ${why}. Measure on the device that will run it.`,
    );
  }
  if (!report.score) {
    advice.push("No labelled data was given: --evaluate DATA --labels LABELS measures accuracy instead of agreement.");
  }
  return advice;
}

/** The value to which most noise is added, beside its signal, if it loses 3 dB or more: half of its noise is then its own. */
function mostNoise(report: RunReport): ValueReport | undefined {
  const added = ({ sqnr, fall }: ValueReport) => 10 ** (-sqnr / 10) - 10 ** (-(sqnr + fall!) / 10);
  const [most] = report.values.filter((v) => v.fall !== null && v.fall > 3).sort((a, b) => added(b) - added(a));
  return most;
}

export function nextSection(report: RunReport): Markup {
  return html`<h2>What to try next</h2><p></p><div class="card"><ul class="next">${nextSteps(report).map((text) => html`<li>${text}</li>`)}</ul></div>`;
}
