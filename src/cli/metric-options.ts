/** What judges an answer: metric, labels, the classes that they name, and where outputs hold classes. */
import {
  type ClassAxis,
  type Metric,
  meanIoU,
  type OutputMeaning,
  outputMeanings,
  positionAccuracy,
  topK,
} from "../analysis/index.ts";
import { AvocetError } from "../base/index.ts";
import { alignLabels, type Dataset } from "../data/index.ts";
import { openLabels, parseDataSpec } from "../data/node/index.ts";
import type { Model } from "../ir/index.ts";
import { type ClassFile, readClasses, renumbered } from "./classes-file.ts";

export interface ClassAxisOptions {
  /** As given: AXIS, none, or OUTPUT:AXIS. */
  readonly classAxis?: readonly string[];
}

export interface JudgeOptions extends ClassAxisOptions {
  readonly labels?: string;
  readonly metric: string;
  readonly ignoreLabel?: number;
  /** A file that says which class of the model a name is. */
  readonly classes?: string;
}

/** A metric over the samples that are judged; each call makes a fresh one. */
export interface OpenedMetric {
  make(): Metric;
  /** How many classes the labels name by the order of folders or names alone; null where they say what class they are. */
  readonly namedClasses: number | null;
}

/** The metric that --metric, --labels, --classes and --ignore-label ask for. Throws `data/labels`, `usage/bad-value`. */
export async function openMetric(
  options: JudgeOptions,
  spec: string,
  data: Dataset,
  model: Model,
): Promise<OpenedMetric> {
  const top = /^top([1-9]\d*)$/.exec(options.metric);
  if (!top && options.metric !== "miou") {
    throw new AvocetError("usage/bad-value", `expected a metric, got "${options.metric}"`, {
      at: "--metric",
      hint: "top1, top5, topK or miou",
    });
  }
  const classes = options.classes === undefined ? undefined : readClasses(options.classes);
  // Class folders and packs carry their labels; those are of all samples, whatever part of them is judged.
  const { labels, named } = await labelsOf(options.labels ?? parseDataSpec(spec).path, classes);
  const aligned = alignLabels(labels, data);
  const judged = judgedOutput(model, classAxisOf(options.classAxis));
  if (top && aligned.kind === "classes") {
    return { namedClasses: named, make: () => topK(aligned, Number(top[1]), judged) };
  }
  if (aligned.kind === "masks" && (!top || top[1] === "1")) {
    const ignore = options.ignoreLabel === undefined ? {} : { ignore: options.ignoreLabel };
    return { namedClasses: null, make: () => (top ? positionAccuracy : meanIoU)(aligned, { ...judged, ...ignore }) };
  }
  throw new AvocetError(
    "data/labels",
    `expected ${top ? "one class a sample" : "one class a pixel"} for ${options.metric}, got ${aligned.kind}`,
    { at: options.labels ?? spec },
  );
}

async function labelsOf(spec: string, classes: ClassFile | undefined) {
  const labels = await openLabels(spec, classes?.names ? { names: classes.names } : {});
  if (labels.kind !== "classes") return { labels, named: null };
  if (!classes) return { labels, named: labels.names?.length ?? null };
  return { labels: renumbered(labels, classes), named: null };
}

/** The first output that holds classes, or the class numbers of a TopK, else the first. */
function judgedOutput(model: Model, classAxis: ClassAxis | undefined): { output?: string; meaning?: OutputMeaning } {
  const meanings = [...outputMeanings(model, { classAxis, classes: true })];
  const ranked = model.graph.outputs.find(({ producer }, i) => {
    return producer?.op === "TopK" && producer.outputs[1] === model.graph.outputs[i];
  });
  const found =
    meanings.find(([, { kind }]) => kind === "scores" || kind === "choices") ??
    meanings.find(([name]) => name === ranked?.name) ??
    meanings[0];
  return found ? { output: found[0], meaning: found[1] } : {};
}

/** `1`, `-1`, `none`, or `OUTPUT:AXIS` for one output. Throws `usage/bad-value`. */
export function classAxisOf(given: readonly string[] | undefined): ClassAxis | undefined {
  if (!given || given.length === 0) return undefined;
  const axisOf = (text: string): number | null => {
    if (text === "none") return null;
    if (/^-?\d{1,2}$/.test(text)) return Number(text);
    throw new AvocetError("usage/bad-value", `expected an axis, none or OUTPUT:AXIS, got "${text}"`, {
      at: "--class-axis",
    });
  };
  const [only] = given;
  if (given.length === 1 && !only!.includes(":")) return axisOf(only!);
  return Object.fromEntries(
    given.map((text) => {
      const colon = text.lastIndexOf(":");
      if (colon < 1) {
        throw new AvocetError("usage/bad-value", `expected OUTPUT:AXIS for each of several outputs, got "${text}"`, {
          at: "--class-axis",
        });
      }
      return [text.slice(0, colon), axisOf(text.slice(colon + 1))];
    }),
  );
}
