/** What judges an answer: metric, labels, the classes that they name, and where outputs hold classes. */
import {
  type ClassAxis,
  type Decoding,
  type LabelKind,
  type Metric,
  type MetricOptions,
  metricRows,
  metricTable,
  type OutputMeaning,
  outputMeanings,
} from "../analysis/inner.ts";
import { AvocetError } from "../base/inner.ts";
import { type AnyLabels, alignLabels, type Dataset } from "../data/inner.ts";
import { openLabels, parseDataSpec } from "../data/inner-node.ts";
import type { Model } from "../ir/inner.ts";
import { type ClassFile, readClasses, renumbered } from "./classes-file.ts";
import { readMetricModule } from "./metric-module.ts";
import { isMetricModule } from "./metric-name.ts";
import { readJson } from "./text-file.ts";

export interface ClassAxisOptions {
  /** As given: AXIS, none, or OUTPUT:AXIS. Where nothing is given, what the recipe of a folder says. */
  readonly classAxis?: readonly string[] | undefined;
}

export interface JudgeOptions extends ClassAxisOptions {
  readonly labels?: string;
  readonly metric: string;
  readonly ignoreLabel?: number;
  /** A file that says which class of the model a name is. */
  readonly classes?: string;
  /** A file that says how outputs become texts or boxes. */
  readonly decode?: string;
}

/** A metric over the samples that are judged; each call makes a fresh one. */
export interface OpenedMetric {
  make(): Metric;
  /** Of the whole data; null: the metric needs none. */
  readonly labels: AnyLabels | null;
  /** How many classes the labels name by the order of folders or names alone; null where they say what class they are. */
  readonly namedClasses: number | null;
}

/**
 * The metric that --metric, --labels, --classes and --ignore-label ask for: one of the table, or that of a module. Throws `data/labels`,
 * `usage/bad-value`, `import/not-found`.
 */
export async function openMetric(
  options: JudgeOptions,
  spec: string,
  data: Dataset,
  model: Model,
): Promise<OpenedMetric> {
  const rows = await rowsOf(options.metric);
  const judged = judgedOutput(model, classAxisOf(options.classAxis));
  const decode = await decodingOf(options, rows);
  const given: MetricOptions = {
    ...judged,
    ...(options.ignoreLabel === undefined ? {} : { ignore: options.ignoreLabel }),
    ...(decode && { decode }),
  };
  const needed = new Set(rows.map(({ labels }) => labels));
  const opened = (row: OpenRow, labels: OpenedMetric["labels"], namedClasses: number | null): OpenedMetric => {
    // Labels that do not fit the data are reported before anything long begins.
    if (labels) alignLabels(labels, data);
    return { labels, namedClasses, make: () => row.make(given) };
  };
  const bare = rows.find(({ labels }) => labels === "none" || labels === "outputs");
  if (bare && (options.labels === undefined || rows.length === 1)) return opened(bare, null, null);
  // Class folders and packs carry their labels; those are of all samples, whatever part of them is judged.
  const path = options.labels ?? parseDataSpec(spec).path;
  const own = rows.find(({ labels }) => labels === "arrays" || labels === "boxes" || labels === "texts");
  if (own) return opened(own, await openLabels(path, { kind: own.labels as "arrays" | "boxes" | "texts" }), null);
  const { labels, named } = await labelsOf(
    path,
    options.classes === undefined ? undefined : readClasses(options.classes),
  );
  const row = rows.find((one) => one.labels === labels.kind);
  if (row) return opened(row, labels, labels.kind === "classes" ? named : null);
  throw new AvocetError(
    "data/labels",
    `expected ${needed.has("classes") ? "one class a sample" : "one class a pixel"} for ${options.metric}, got ${labels.kind}`,
    { at: options.labels ?? spec },
  );
}

/** What --decode holds. Throws `usage/missing` for a metric that needs it, `usage/bad-value` for one that it says nothing of. */
async function decodingOf(
  { decode: path, metric }: JudgeOptions,
  rows: readonly OpenRow[],
): Promise<Decoding | undefined> {
  const needed = rows.find(({ decoding }) => decoding !== undefined)?.decoding;
  const hint = `{"${needed ?? "ctc"}": {…}}: docs/judging.md`;
  if (path === undefined) {
    if (needed === undefined) return undefined;
    throw new AvocetError("usage/missing", `expected --decode FILE next to --metric ${metric}, got none`, { hint });
  }
  const { parseDecoding } = await import("../analysis/inner-files.ts");
  const decode = parseDecoding(readJson(path), path);
  if (isMetricModule(metric) || (needed !== undefined && needed in decode)) return decode;
  throw new AvocetError("usage/bad-value", `expected a decoding of ${needed ?? "nothing"} for --metric ${metric}`, {
    at: path,
    hint,
  });
}

interface OpenRow {
  readonly labels: LabelKind;
  readonly decoding?: "ctc" | "boxes";
  make(options: MetricOptions): Metric;
}

/** What `--metric` names: rows of the table (one for each kind of labels), or a module. */
async function rowsOf(name: string): Promise<readonly OpenRow[]> {
  if (isMetricModule(name)) {
    const make = await readMetricModule(name);
    return [{ labels: make({}).labels, make }];
  }
  const rows = metricRows(name);
  if (rows.length === 0) {
    throw new AvocetError("usage/bad-value", `expected a metric, got "${name}"`, {
      at: "--metric",
      hint: `${[...new Set(metricTable.flatMap(({ names }) => names.split(", ")))].join(", ")}, or a module ./my-metric.mjs`,
    });
  }
  return rows.map((row) => ({ ...row, make: (options) => row.make(name, options)! }));
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
