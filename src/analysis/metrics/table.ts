/** The metrics that `--metric` can name: one row each. */

import { AvocetError } from "../../base/inner.ts";
import { meanAveragePrecision } from "./mean-average-precision.ts";
import { meanIoU } from "./mean-iou.ts";
import type { LabelKind, Metric, MetricOptions } from "./metric.ts";
import { nextToken } from "./next-token.ts";
import { positionAccuracy } from "./position-accuracy.ts";
import { psnr } from "./psnr.ts";
import { recallAt } from "./retrieval.ts";
import { sameClass } from "./same-class.ts";
import { cosine, meanOfSamples, meanSquare, scaleInvariantRatio } from "./signal-figures.ts";
import { textError } from "./text-error.ts";
import { topK } from "./top-k.ts";
import { signalView } from "./views.ts";

export interface MetricRow {
  /** Names, for people. */
  readonly names: string;
  /** What is measured, for the documentation. */
  readonly description: string;
  readonly labels: LabelKind;
  /** What `decode` must hold, for metrics that cannot read outputs as they are. */
  readonly decoding?: "ctc" | "boxes";
  /** A fresh metric of this name; undefined where the name is another's. */
  make(name: string, options: MetricOptions): Metric | undefined;
}

const top = /^top([1-9]\d*)$/;
const recalled = /^recall@([1-9]\d*)$/;
const overlapped = /^map([5-9]\d)?$/;
const peaked = /^psnr(?::(\d+(?:\.\d+)?))?$/;

/** A name may have a row for each kind of labels. */
export const metricTable: readonly MetricRow[] = [
  {
    names: "top1, top5, topK",
    description: "share of samples whose class is among the K highest scores",
    labels: "classes",
    make(name, options) {
      const k = top.exec(name)?.[1];
      return k === undefined ? undefined : topK(Number(k), options);
    },
  },
  {
    names: "top1",
    description: "share of pixels or positions, over all samples, whose class is right",
    labels: "masks",
    make: (name, options) => (name === "top1" ? positionAccuracy(options) : undefined),
  },
  {
    names: "miou",
    description: "mean over classes of intersection over union of their pixels",
    labels: "masks",
    make: (name, options) => (name === "miou" ? meanIoU(options) : undefined),
  },
  {
    names: "psnr, psnr:PEAK",
    description: "peak signal-to-noise ratio against images, mean over samples; PEAK is 1, or 255 for whole numbers",
    labels: "arrays",
    make(name, options) {
      const found = peaked.exec(name);
      return found ? psnr({ ...options, ...(found[1] === undefined ? {} : { peak: Number(found[1]) }) }) : undefined;
    },
  },
  {
    names: "si-snr",
    description: "scale-invariant signal-to-noise ratio against signals, mean over samples",
    labels: "arrays",
    make: (name, options) =>
      name === "si-snr"
        ? meanOfSamples(
            { name, unit: "dB", better: "higher", labels: "arrays" },
            scaleInvariantRatio,
            options,
            (_, signal) => signalView(signal),
          )
        : undefined,
  },
  ...(["arrays", "outputs"] as const).flatMap((labels): MetricRow[] => {
    const to =
      labels === "arrays" ? "what should be answered" : "outputs of the float model, where no labels are named";
    return [
      {
        names: "mse",
        description: `mean squared difference to ${to}`,
        labels,
        make: (name, options) =>
          name === "mse" ? meanOfSamples({ name, unit: "", better: "lower", labels }, meanSquare, options) : undefined,
      },
      {
        names: "cosine",
        description: `cosine to ${to}, mean over samples`,
        labels,
        make: (name, options) =>
          name === "cosine" ? meanOfSamples({ name, unit: "", better: "higher", labels }, cosine, options) : undefined,
      },
    ];
  }),
  {
    names: "recall@1, recall@5, recall@K",
    description: "share of samples with one of the same label among the K nearest others, by cosine of embeddings",
    labels: "classes",
    make(name, options) {
      const k = recalled.exec(name)?.[1];
      return k === undefined ? undefined : recallAt(Number(k), options);
    },
  },
  {
    names: "wer",
    description: "word error rate: words inserted, deleted and replaced, as a share of those that are true",
    labels: "texts",
    decoding: "ctc",
    make: (name, options) => (name === "wer" ? textError("words", options) : undefined),
  },
  {
    names: "cer",
    description: "character error rate",
    labels: "texts",
    decoding: "ctc",
    make: (name, options) => (name === "cer" ? textError("characters", options) : undefined),
  },
  {
    names: "map, map50, map75, mapNN",
    description: "mean average precision as of COCO, 101 recalls: overlaps 0.5 to 0.95, or one",
    labels: "boxes",
    decoding: "boxes",
    make(name, options) {
      const found = overlapped.exec(name);
      if (!found) return undefined;
      const overlaps = found[1] === undefined ? undefined : [Number(found[1]) / 100];
      return meanAveragePrecision({ ...options, name, ...(overlaps && { overlaps }) });
    },
  },
  {
    names: "map-voc",
    description: "the same as of VOC (2010): overlap 0.5, area below the curve",
    labels: "boxes",
    decoding: "boxes",
    make: (name, options) =>
      name === "map-voc" ? meanAveragePrecision({ ...options, name, overlaps: [0.5], over: "area" }) : undefined,
  },
  {
    names: "perplexity",
    description: "e to the power of the cross-entropy: among how many equally likely tokens a language model hesitates",
    labels: "none",
    make: (name, options) => (name === "perplexity" ? nextToken(name, options) : undefined),
  },
  {
    names: "cross-entropy",
    description: "mean of −log p(next token), over all tokens of the input but the first of each text",
    labels: "none",
    make: (name, options) => (name === "cross-entropy" ? nextToken(name, options) : undefined),
  },
  {
    names: "bits-per-token",
    description: "the cross-entropy to base 2",
    labels: "none",
    make: (name, options) => (name === "bits-per-token" ? nextToken(name, options) : undefined),
  },
  {
    names: "agreement",
    description: "share of decisions on which the float model chooses the same class",
    labels: "outputs",
    make: (name, options) => (name === "agreement" ? sameClass(options) : undefined),
  },
];

/** The rows of a name: none where no metric has it. */
export function metricRows(name: string): readonly MetricRow[] {
  return metricTable.filter((row) => row.make(name, {}) !== undefined);
}

/**
 * The metric of the table with this name and these labels, made afresh. Throws `usage/bad-value`.
 *
 * @example
 * const metric = metricNamed("wer", "texts", { decode: { ctc: { characters: "abc ", blank: 0, axes: "ntc" } } });
 * const { value } = await evaluate(session, data, metric, { labels });
 */
export function metricNamed(name: string, labels: LabelKind, options: MetricOptions = {}): Metric {
  const metric = metricRows(name)
    .find((row) => row.labels === labels)
    ?.make(name, options);
  if (metric) return metric;
  const known = metricTable.map((row) => `${row.names} (${row.labels})`).join(", ");
  throw new AvocetError("usage/bad-value", `expected a metric with labels of ${labels}, got "${name}"`, {
    at: "metricNamed(name, labels)",
    hint: known,
  });
}

/** The table of docs/judging.md. */
export function metricDocument(): string {
  const rows = metricTable.map(({ names, description, labels, decoding, make }) => {
    const { unit, better } = make(names.split(",")[0]!, {})!;
    return `| \`${names}\` | ${unit} | ${better} | ${labels} | ${description}${decoding ? `; needs \`--decode\` (${decoding})` : ""} |`;
  });
  return ["| `--metric` | unit | better | labels | measures |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}
