/** Why a figure is not what it seems: nothing may claim to be good that is not. */
import type { RunReport, ScoreReport, Warning } from "./run-report.ts";
import { lossBounds, scoreLoss } from "./score.ts";
import { bytes, change, decisions, figure, milliseconds, percent } from "./words.ts";

/** Decisions that are alike by chance alone when there are fewer. */
const fewSamples = 8;
/** Share of decisions that are others than float's: no network that anybody would ship is beyond it. */
const mostOthers = 0.2;
/** Decibels of an output below which its error is more than a third of its size. */
const fewDecibels = 10;

/** What warnings follow from. */
export type Judged = Pick<
  RunReport,
  "score" | "unjudged" | "outputs" | "agreement" | "agreementSamples" | "judgedOn" | "bytes" | "latencyMs" | "kernels"
> & {
  readonly settings?: RunReport["settings"];
  readonly model: Pick<RunReport["model"], "parameters" | "quantized">;
  /** Nodes whose outputs are random, and what is to say of those that were in training form. Default none. */
  readonly random?: readonly string[];
  readonly training?: readonly string[];
};

/** The heaviest first. */
export function warningsOf(report: Judged): Warning[] {
  const { score, unjudged } = report;
  return [
    ...unjudged.map(({ what, reason }): Warning => ({ kind: "not-judged", text: `not judged: ${what} (${reason})` })),
    ...(score ? scoreWarnings(score) : farOff(report)),
    ...notFinite(report),
    ...unsteady(report),
    ...oneClass(report),
    ...seenData(report),
    ...cost(report),
    ...(score ? withinNoise(score) : []),
  ];
}

/** What makes a score worthless: no gate on it can be kept. */
export function voidsScore({ kind }: Warning): boolean {
  return kind === "near-chance" || kind === "class-count";
}

/** Of a score of the float model, or of any single model. */
export function scoreWarnings(
  score: Pick<ScoreReport, "float" | "unit" | "guessing" | "samples" | "classes" | "namedClasses"> & {
    readonly interval: Pick<NonNullable<ScoreReport["interval"]>, "float"> | null;
  },
  who = "float",
): Warning[] {
  const { float, unit, guessing, samples, interval, classes, namedClasses } = score;
  const shown = (value: number) => figure(value, unit);
  const found: Warning[] = [];
  const low = interval ? interval.float[0] : float;
  if (guessing && (low <= guessing.chance || float <= guessing.commonest)) {
    const reached = Math.max(guessing.chance, guessing.commonest);
    const range = interval ? `, 95 % interval ${shown(low)} to ${shown(interval.float[1])}` : "";
    const fault =
      float > reached
        ? "so few samples cannot tell them apart"
        : "labels, the order of classes or preprocessing do not fit the model";
    found.push({
      kind: "near-chance",
      text: `${who} scores ${shown(float)} of ${samples} samples${range}, and guessing ${shown(reached)}: ${fault}, and nothing follows from the scores`,
    });
  }
  if (classes !== null && namedClasses !== null && classes !== namedClasses) {
    found.push({
      kind: "class-count",
      text: `the labels name ${namedClasses} classes, and the model has ${classes}: the n-th name is judged as class n. --classes FILE says which class a name is`,
    });
  }
  return found;
}

/** Products that run on int8 although the file says float (quant/lower/rounded-inputs.ts). */
export function roundingWarnings(products: readonly string[]): Warning[] {
  if (products.length === 0) return [];
  const which = products.length === 1 ? products[0]! : `${products.length} products (${products[0]} …)`;
  const text = `${which}: ONNX Runtime's native build rounds the float inputs to int8 as it runs (MatMulNBits), half a percent of the output; the session option session.qdq_matmulnbits_accuracy_level = 1 computes in float32, and the build for the web always does`;
  return [{ kind: "rounded-inputs", text }];
}

/** Recurrent operators that compute in float, each with the reason; `stored`: from weights that are integers in the file. */
export function recurrentWarnings(
  found: readonly { readonly node: string; readonly reason: string; readonly stored: boolean }[],
  of: number,
): Warning[] {
  return [false, true].flatMap((stored): Warning[] => {
    const some = found.filter((one) => one.stored === stored);
    const [first] = some;
    if (!first) return [];
    const which = some.length === of ? (of === 1 ? "the one" : `all ${of}`) : `${some.length} of the ${of}`;
    const does = stored
      ? `${of === 1 ? "layer computes" : "layers compute"} in float, and only the file has integers`
      : `${of === 1 ? "layer keeps its" : "layers keep"} weights in float`;
    return [{ kind: "recurrent-float", text: `${which} recurrent ${does}: ${first.node}: ${first.reason}` }];
  });
}

function withinNoise(score: ScoreReport): Warning[] {
  const { interval, samples } = score;
  if (!interval || interval.lost[0] > 0 || interval.lost[1] < 0) return [];
  const lost = scoreLoss(score);
  const shown = (value: number) => change(value, score);
  const range = `95 % interval ${shown(interval.lost[0])} to ${shown(interval.lost[1])}`;
  const text =
    Math.abs(lost) < lossBounds(score).same
      ? `no difference was seen on ${samples} samples, which would not show less than ${shown(interval.lost[1])} (${range})`
      : `the difference of ${shown(lost)} lies within noise: ${range} on ${samples} samples`;
  return [{ kind: "within-noise", text }];
}

/** Without a score: what hardly decides as float does, or is more noise than the numbers that float gives. Noise as data says neither. */
function farOff({ agreement, agreementSamples, outputs, judgedOn, settings }: Judged): Warning[] {
  if (judgedOn?.data === "noise" || judgedOn?.data === "nothing") return [];
  const way = settings?.calibration?.startsWith("none")
    ? "ranges without data are guesses where no batch norm is left in the file; calibrate with data"
    : "the preset best, more bits or layers in float (--float) keep more";
  const warn = (what: string): Warning[] => [{ kind: "far-off", text: `${what}: ${way}` }];
  if (agreement.float !== null) {
    const differs = 1 - agreement.float;
    return differs > mostOthers && agreementSamples >= fewSamples
      ? warn(`another decision than float on ${percent(differs)}`)
      : [];
  }
  const noisy = outputs.filter(({ sqnr }) => sqnr !== null && sqnr < fewDecibels);
  return noisy.flatMap(({ name, sqnr }) => warn(`${name} is far from float's, ${sqnr!.toFixed(1)} dB`));
}

function notFinite({ outputs }: Judged): Warning[] {
  const bad = outputs.filter(({ sqnr }) => Number.isNaN(sqnr));
  return bad.length === 0
    ? []
    : [
        {
          kind: "not-finite",
          text: `${bad.map(({ name }) => name).join(", ")}: numbers that are not finite, in float or quantized`,
        },
      ];
}

/** What makes two runs of one model differ, or made it something else than it is now. */
function unsteady({ random = [], training = [] }: Judged): Warning[] {
  const found: Warning[] = [];
  if (random.length > 0) {
    const text = `outputs are random (${listed(random)}): no two runs give the same numbers, and comparisons see that as noise`;
    found.push({ kind: "random", text });
  }
  if (training.length > 0) {
    found.push({ kind: "training-form", text: listed(training) });
  }
  return found;
}

function listed(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
}

function oneClass({ agreement, agreementSamples }: Judged): Warning[] {
  if (agreement.float === null || agreement.choices !== 1 || agreementSamples < fewSamples) return [];
  return [
    {
      kind: "one-class",
      text: `float chooses the same class for all ${decisions(agreement.of, agreementSamples)}: that quantized agrees says nothing`,
    },
  ];
}

function seenData({ judgedOn, agreement, score }: Judged): Warning[] {
  if (!judgedOn || judgedOn.seen === 0 || judgedOn.samples === 0) return [];
  const figures = agreement.float === null ? "decibels" : "agreement";
  const what = score
    ? `score and ${figures} are`
    : figures === "agreement"
      ? "agreement is"
      : "decibels of outputs are";
  const use = judgedOn.data === "training" ? "training" : "calibration";
  const part =
    judgedOn.seen === judgedOn.samples ? `the ${judgedOn.samples}` : `${judgedOn.seen} of the ${judgedOn.samples}`;
  return [
    {
      kind: "seen-data",
      text: `${what} measured on ${use} data: ${part} judged samples were used by it. --evaluate DATA judges on others`,
    },
  ];
}

/** The kernels that lose, each with its family's milliseconds in float and here. */
function lost({ losses = [] }: NonNullable<Judged["latencyMs"]>): string {
  if (losses.length === 0) return "";
  const told = losses
    .slice(0, 3)
    .map(
      ({ kernel, node, float, quantized }) =>
        `${kernel} (${milliseconds(float)} → ${milliseconds(quantized)}, most in ${node})`,
    );
  return `; it loses in ${told.join(", ")}`;
}

function cost({ model, bytes: size, latencyMs, kernels }: Judged): Warning[] {
  const found: Warning[] = [];
  if (model.quantized !== null && model.parameters > 0 && model.quantized < model.parameters / 2) {
    found.push({
      kind: "mostly-float",
      text: `only ${percent(model.quantized / model.parameters, 1)} of the weights are quantized; most stay in float`,
    });
  }
  if (latencyMs && latencyMs.quantized > 1.05 * latencyMs.float) {
    const { integer, float } = kernels;
    const why =
      integer + float.length > 0 ? `, ${integer} of ${integer + float.length} products run as integer kernels` : "";
    found.push({
      kind: "slower",
      text: `slower than float on this machine: ${milliseconds(latencyMs.float)} → ${milliseconds(latencyMs.quantized)}${why}${lost(latencyMs)}`,
    });
  }
  if (size.quantized > size.float) {
    found.push({
      kind: "larger",
      text: `the file is larger than float: ${bytes(size.float)} → ${bytes(size.quantized)}`,
    });
  }
  return found;
}
