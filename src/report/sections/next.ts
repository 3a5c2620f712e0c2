/** What to try next, from what was measured: each advice names the figure it rests on, and the command that tries it. */
import { type Change, changedCommand } from "../command.ts";
import { html, type Markup } from "../markup.ts";
import type { RunReport, ValueReport } from "../run-report.ts";
import { lossBounds, scoreLoss } from "../score.ts";
import { change, decibels, percent, plural, tail } from "../words.ts";
import { spread } from "./weights.ts";

/** A sentence, and where one tries it a command to copy. */
export interface Advice {
  readonly text: string;
  readonly command?: string | undefined;
}

/** Decisions that are other than float's: less is not worth a remedy. */
const noticeable = 0.005;

/** The most useful first; never empty. */
export function nextSteps(report: RunReport): Advice[] {
  const { score, agreement, outputs } = report;
  const lost = score
    ? scoreLoss(score) > lossBounds(score).noticeable
    : agreement.float !== null && 1 - agreement.float > noticeable;
  const unjudged = !score && agreement.float === null;
  const noisy = unjudged && outputs.some(({ sqnr }) => sqnr < 20 || Number.isNaN(sqnr));
  const advice = [...doubts(report), ...(lost || noisy ? remedies(report) : []), ...facts(report)];
  return advice.length > 0 ? advice : [conclusion(report)];
}

/** What has to be settled before any figure counts. */
function doubts({ warnings }: RunReport): Advice[] {
  const heavy = new Set(["near-chance", "class-count", "not-finite", "one-class"]);
  return warnings.filter(({ kind }) => heavy.has(kind)).map(({ text }) => ({ text: sentence(text) }));
}

/** When nothing stands out: as much as the samples allow to say. */
function conclusion(report: RunReport): Advice {
  const { score, agreement, warnings, settings } = report;
  const worst = score?.interval?.lost[1];
  const known = warnings.every(({ kind }) => kind === "within-noise");
  // With 97.5 % certainty.
  if (score && known && (worst === undefined || worst <= lossBounds(score).bearable)) {
    const sure =
      worst === undefined ? "" : ` With 95 % certainty it loses ${change(Math.max(worst, 0), score)} at most.`;
    const smaller = settings.weights?.startsWith("int8")
      ? {
          text: `${sure} --weights int4 shows how much smaller it can be.`,
          command: tried(report, { set: { "--weights": "int4" }, suffix: "int4" }),
        }
      : { text: sure };
    return { ...smaller, text: `Nothing stands out. Ship it.${smaller.text}` };
  }
  if (score) {
    return {
      text: `Nothing stands out on these ${plural(score.samples, "sample")}, ${worst === undefined ? "" : `which cannot rule out a loss of ${change(worst, score)}`}. More samples for --evaluate tell more.`,
    };
  }
  return {
    text:
      agreement.float === null
        ? "Nothing stands out. What the outputs are worth was not judged: decibels say how near they are to float, not whether that is near enough."
        : "Nothing stands out. Whether decisions are right was not judged.",
  };
}

/** What may bring back a score that was lost. */
function remedies(report: RunReport): Advice[] {
  const advice: Advice[] = [];
  const uneven = report.weights.filter((w) => w.granularity === "tensor" && spread(w) > 8);
  const [widest] = [...uneven].sort((a, b) => spread(b) - spread(a));
  if (widest) {
    advice.push({
      text: `${plural(uneven.length, "weight")} with one scale per tensor ${uneven.length === 1 ? "has" : "have"} channels of very different size (${tail(widest.name)}: widest ÷ median ${spread(widest).toFixed(0)}). A scale per channel holds them all.`,
      command: tried(report, { set: { "--granularity": "channel" }, suffix: "channel" }),
    });
  }
  advice.push(...stronger(report));
  if (report.ties !== null && report.ties > 0.02) {
    advice.push({
      text: `On ${percent(report.ties, 1)} of the decisions several classes share the highest score: the grid of the output is too coarse to tell them apart. Keep the last layer and what follows it in float with --float.`,
    });
  }
  const fall = mostNoise(report);
  if (fall && !roundsBetter(report)) {
    const names = [...new Set([fall.layer, fall.name])].filter((name) => name !== undefined);
    advice.push({
      text: `Most noise is added at ${fall.op} ${tail(fall.name)}: its signal falls by ${decibels(fall.fall!)}, to ${decibels(fall.sqnr)}. Keep it in float and compare.`,
      command: tried(report, { add: names.map((name) => ["--float", name] as const), suffix: "float" }),
    });
  }
  const [clipped] = report.values
    .filter((v) => (v.quantizer?.clipped ?? 0) > 0.005)
    .sort((a, b) => b.quantizer!.clipped - a.quantizer!.clipped);
  if (clipped && report.settings.calibration !== "minmax") {
    advice.push({
      text: `${tail(clipped.name)} loses ${percent(clipped.quantizer!.clipped)} of its numbers to clipping. --calibration minmax clips nothing; compare.`,
      command: tried(report, { set: { "--calibration": "minmax" }, suffix: "minmax" }),
    });
  }
  if (report.settings.activations === "uint8") {
    advice.push({
      text: `--activations uint16 tells how much of the loss comes from activations. On ${report.runtime} the products then run in float: it is an experiment, not what to ship there.`,
      command: tried(report, { set: { "--activations": "uint16" }, suffix: "a16" }),
    });
  }
  return advice;
}

/** Avocet's own remedies, from the cheapest that was not used yet. */
function stronger(report: RunReport): Advice[] {
  const { preset, methods = "", training } = report.settings;
  const advice: Advice[] = [];
  if (preset === "fast") {
    advice.push({
      text: "Better rounding in little time: the preset standard decides weights together, and corrects biases.",
      command: tried(report, { set: { "--preset": "standard", "--method": null }, suffix: "standard" }),
    });
  }
  if (preset !== undefined && preset !== "best") {
    advice.push({
      text: "Better rounding: the preset best tries equalization and annealed rounding, and keeps what helps on samples set aside. It takes minutes.",
      command: tried(report, { set: { "--preset": "best", "--method": null }, suffix: "best" }),
    });
  }
  if (!methods.includes("reconstruction") && preset !== "data-free" && training === undefined) {
    advice.push({
      text: "Blocks of layers that learn to round together: reconstruction. It takes longer than best, and reaches further at 4 bits.",
      command: tried(report, {
        set: { "--preset": null, "--method": null },
        add: [
          ["--method", "dead-channels"],
          ["--method", "reconstruction"],
        ],
        suffix: "reconstruction",
      }),
    });
  }
  if (training === undefined && preset !== "data-free") {
    advice.push({
      text: "Weights and ranges that learn behind the quantizers: train, with labels or with float as the teacher. It takes longest and brings back most.",
      command: tried(report, { name: "train", suffix: "trained" }),
    });
  }
  return advice;
}

/**
 * Whether a stronger preset is the answer to noise, and no layer in float: at less than 8 bits most of it is the rounding of weights, in all
 * layers, and kept layers take back what the bits saved.
 */
function roundsBetter({ settings: { weights = "", preset } }: RunReport): boolean {
  return /^u?int[234] /.test(weights) && (preset === "fast" || preset === "standard");
}

/** What a reader should know whatever the score. */
function facts(report: RunReport): Advice[] {
  const advice: Advice[] = [];
  const { float, integer } = report.kernels;
  const { latencyMs, agreement, judgedOn } = report;
  if (latencyMs && latencyMs.quantized > 1.05 * latencyMs.float) {
    const why =
      float.length > integer
        ? "most of its products run in float there (see On the runtime)"
        : "small layers spend their time on conversions";
    advice.push({
      text: `The quantized file is slower than float on this machine: ${why}. Measure on the device that will run it.`,
    });
  }
  if (!report.score) {
    const seen =
      judgedOn?.data === "calibration" || judgedOn?.data === "training"
        ? " The figures here are of data that the run itself used."
        : "";
    const instead =
      agreement.float === null ? "measures what the result is worth" : "measures accuracy instead of agreement";
    advice.push({ text: `No labelled data was given: --evaluate DATA --labels LABELS ${instead}.${seen}` });
  }
  return advice;
}

function tried(report: RunReport, change: Change): string | undefined {
  return changedCommand(report.environment?.command, change);
}

/** The value to which most noise is added, next to its signal, if it loses 3 dB or more: half of its noise is then its own. */
function mostNoise(report: RunReport): ValueReport | undefined {
  const added = ({ sqnr, fall }: ValueReport) => 10 ** (-sqnr / 10) - 10 ** (-(sqnr + fall!) / 10);
  const [most] = report.values.filter((v) => v.fall !== null && v.fall > 3).sort((a, b) => added(b) - added(a));
  return most;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

export function nextSection(report: RunReport): Markup {
  return html`<h2>What to try next</h2><p></p><div class="card"><ul class="next">${nextSteps(report).map(
    ({ text, command }) =>
      html`<li>${text}${command ? html`<div class="command"><code>${command}</code><button type="button" class="copy" hidden>copy</button></div>` : null}</li>`,
  )}</ul></div>`;
}
