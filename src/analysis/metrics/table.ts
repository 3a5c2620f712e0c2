/** The metrics that `--metric` can name: one row each. */
import { meanIoU } from "./mean-iou.ts";
import type { LabelKind, Metric, MetricOptions } from "./metric.ts";
import { positionAccuracy } from "./position-accuracy.ts";
import { psnr } from "./psnr.ts";
import { sameClass } from "./same-class.ts";
import { topK } from "./top-k.ts";

export interface MetricRow {
  /** Names, for people. */
  readonly names: string;
  /** What is measured, for the documentation. */
  readonly description: string;
  readonly labels: LabelKind;
  /** A fresh metric of this name; undefined where the name is another's. */
  make(name: string, options: MetricOptions): Metric | undefined;
}

const top = /^top([1-9]\d*)$/;
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

/** The table of docs/judging.md. */
export function metricDocument(): string {
  const rows = metricTable.map(({ names, description, labels, make }) => {
    const { unit, better } = make(names.split(",")[0]!, {})!;
    return `| \`${names}\` | ${unit} | ${better} | ${labels} | ${description} |`;
  });
  return ["| `--metric` | unit | better | labels | measures |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}
