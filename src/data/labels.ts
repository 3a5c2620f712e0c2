/** What is true of each sample: its class, the class of each of its pixels, or the numbers that a model should answer. */
import { AvocetError } from "../base/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import type { BoxLabels } from "./box-labels.ts";
import type { Dataset } from "./dataset.ts";
import { parseSelection, type Selection, selectedIndices } from "./selection.ts";
import type { TextLabels } from "./text-truths.ts";

export interface ClassLabels {
  readonly kind: "classes";
  readonly count: number;
  /** For messages: where they came from. */
  readonly source?: string;
  /** Names of the classes by number, where they are known. */
  readonly names?: readonly string[];
  /** The class of sample `index`. */
  at(index: number): number;
}

export interface MaskLabels {
  readonly kind: "masks";
  readonly count: number;
  readonly source?: string;
  readonly height: number;
  readonly width: number;
  readonly names?: readonly string[];
  /** The class of each pixel of sample `index`, row by row. */
  at(index: number): Uint8Array;
}

export type Labels = ClassLabels | MaskLabels;

/** What a model should answer, in numbers: the images, depths or signals that its outputs are measured against. */
export interface ArrayLabels {
  readonly kind: "arrays";
  readonly count: number;
  readonly source?: string;
  /** The numbers of sample `index`, without an axis of samples. */
  at(index: number): Tensor;
}

/** Labels of every kind. */
export type AnyLabels = Labels | ArrayLabels | BoxLabels | TextLabels;

/** Labels by class number. Throws `data/labels` for what is not a class number, `data/none`. */
export function classLabels(
  values: ArrayLike<number | bigint>,
  source: string,
  names?: readonly string[],
): ClassLabels {
  const classes = Int32Array.from(values as ArrayLike<number>, (value, index) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= 0 && number < 2 ** 31) return number;
    throw new AvocetError("data/labels", `expected class numbers from 0, sample ${index} has ${value}`, { at: source });
  });
  if (classes.length === 0) throw new AvocetError("data/none", "expected at least one label, got none", { at: source });
  return {
    kind: "classes",
    count: classes.length,
    source,
    at: (index) => classes[checked(index, classes.length, source)]!,
    ...(names && { names }),
  };
}

/** Labels per pixel, from bytes [count, height, width]. Throws `data/labels` when the length does not fit. */
export function maskLabels(
  bytes: Uint8Array,
  [count, height, width]: readonly [number, number, number],
  source: string,
  names?: readonly string[],
): MaskLabels {
  const size = height * width;
  if (bytes.length !== count * size) {
    throw new AvocetError("data/labels", `expected ${count} × ${height} × ${width} bytes, got ${bytes.length}`, {
      at: source,
    });
  }
  const at = (index: number) => {
    const row = checked(index, count, source);
    return bytes.subarray(row * size, (row + 1) * size);
  };
  return { kind: "masks", count, source, height, width, at, ...(names && { names }) };
}

/** The rows of a tensor [count, …] as labels. Throws `data/labels` for a scalar, texts and no row. */
export function arrayLabels(tensor: Tensor, source: string): ArrayLabels {
  const [count = 0, ...shape] = tensor.shape;
  if (count === 0 || tensor.dtype === "string") {
    throw new AvocetError("data/labels", `expected numbers [N, …], got ${tensor.dtype}[${tensor.shape.join(",")}]`, {
      at: source,
    });
  }
  const bytes = tensor.byteLength / count;
  const at = (index: number) => {
    const row = checked(index, count, source);
    return Tensor.fromBytes(tensor.dtype, shape, tensor.bytes.subarray(row * bytes, (row + 1) * bytes));
  };
  return { kind: "arrays", count, source, at };
}

/**
 * One label a line: numbers, or names. Names get numbers by their sorted order, or by `names` where that is given;
 * empty lines at the end do not count. Throws `data/labels`.
 */
export function textLabels(text: string, source: string, names?: readonly string[]): ClassLabels {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim());
  while (lines.at(-1) === "") lines.pop();
  const blank = lines.indexOf("");
  if (blank >= 0) throw new AvocetError("data/labels", `expected a label, line ${blank + 1} is empty`, { at: source });
  if (lines.every((line) => /^\d+$/.test(line))) return classLabels(lines.map(Number), source, names);
  const known = names ?? [...new Set(lines)].sort(byCodeUnit);
  const numbers = lines.map((line, i) => {
    const number = known.indexOf(line);
    if (number >= 0) return number;
    throw new AvocetError("data/labels", `expected one of ${known.length} class names, line ${i + 1} is "${line}"`, {
      at: source,
    });
  });
  return classLabels(numbers, source, known);
}

/** The order of file and class names: by code unit, the same on every machine. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The labels of a part (see `parseSelection`). */
export function selectLabels<T extends AnyLabels>(labels: T, spec: string | number | Selection): T {
  const selection = typeof spec === "object" ? spec : parseSelection(spec);
  const indices = selectedIndices(selection, labels.count, "labels");
  const of = (index: number) => indices[checked(index, indices.length, labels.source ?? "labels")]!;
  return renumberedLabels(labels, indices.length, of);
}

/** The labels whose sample `index` is `of(index)` of these. */
export function renumberedLabels<T extends AnyLabels>(labels: T, count: number, of: (index: number) => number): T {
  const sizeOf = labels.kind === "boxes" ? labels.imageSize : undefined;
  return {
    ...labels,
    count,
    at: (index: number) => labels.at(of(index)),
    ...(sizeOf && { imageSize: (index: number) => sizeOf(of(index)) }),
  };
}

/**
 * The labels of exactly the samples of a dataset: as they are where the counts agree, or those of its part where the
 * labels are of the whole. Throws `data/labels` when neither fits.
 */
export function alignLabels<T extends AnyLabels>(labels: T, dataset: Dataset): T {
  const { count, origin } = dataset;
  if (count === labels.count) return labels;
  if (origin && origin.count === labels.count) {
    return renumberedLabels(labels, count ?? labels.count, (index) => origin.of(index));
  }
  if (count === null) return labels;
  throw new AvocetError("data/labels", `expected ${count} labels, one per sample, got ${labels.count}`, {
    at: labels.source ?? "labels",
    hint: origin
      ? `or labels of the whole data, ${dataset.source} (${origin.count ?? "unknown"} samples)`
      : `data (${dataset.source}) and labels must be of the same samples`,
  });
}

function checked(index: number, count: number, source: string): number {
  if (index >= 0 && index < count) return index;
  throw new AvocetError("data/labels", `expected a label for sample ${index}, there are ${count}`, {
    at: source,
    hint: "data and labels must be of the same samples",
  });
}
