/** Opens labels: class numbers or masks, from whatever a path holds. */
import { dirname, join } from "node:path";
import { AvocetError, expectArguments } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { type BoxLabels, parseBoxes } from "../box-labels.ts";
import { decodeMask } from "../images/png.ts";
import {
  type AnyLabels,
  type ArrayLabels,
  arrayLabels,
  type ClassLabels,
  classLabels,
  type Labels,
  type MaskLabels,
  maskLabels,
  selectLabels,
  textLabels,
} from "../labels.ts";
import { dataLimits } from "../limits.ts";
import { isPackIndex, packLabels } from "../pack.ts";
import { parseTexts, type TextLabels, textLines } from "../text-truths.ts";
import { folderOf, inside, isRawDescription, openArrays, openDescribed } from "./array-file-node.ts";
import { readJson, readText, readWhole, statOf } from "./file-source-node.ts";
import { classFolders, filesOf, hasEnding } from "./folder-node.ts";
import { imageEndings } from "./open-data-node.ts";
import { isPack, packOfFile, packOfIndex } from "./pack-node.ts";
import { audioFiles, openAudio } from "./sequence-node.ts";
import { type DataSpec, parseDataSpec } from "./spec-node.ts";

export interface LabelOptions {
  /** Names of the classes by number; labels given as names are looked up here. Default: sorted by name. */
  readonly names?: readonly string[] | undefined;
}

/** The labels of a kind. */
interface LabelsOf {
  readonly classes: ClassLabels;
  readonly masks: MaskLabels;
  readonly arrays: ArrayLabels;
  readonly boxes: BoxLabels;
  readonly texts: TextLabels;
}

/**
 * Opens labels: class folders, a text file with one label a line, .npy (whole numbers [N], or masks [N, height, width]),
 * raw numbers (`y.u8`), raw masks (`m.u8.gz?shape=-1,360,480`), the index of a pack that has labels, a JSON array of
 * numbers, or a folder of PNG masks. With the kind "arrays": the numbers that a model should answer, .npy [N, …], a .npz with one
 * array, or raw numbers. "boxes": JSON of boxes for each image, COCO's annotations, or the index of a pack that has them. "texts": a text
 * file with one a line, JSON, or the index of a pack that has them. `spec` is a path or `PATH?every=5`. Throws `data/not-found`, `data/labels` (another kind, too),
 * `data/unreadable`.
 *
 * @example
 * const labels = await openLabels("y.npy", { kind: "classes" }); // ClassLabels: labels.at(0) is a number
 */
export async function openLabels(spec: string, options?: LabelOptions): Promise<Labels>;
export async function openLabels<Kind extends keyof LabelsOf>(
  spec: string,
  options: LabelOptions & { readonly kind: Kind },
): Promise<LabelsOf[Kind]>;
export async function openLabels(
  spec: string,
  { kind, ...options }: LabelOptions & { readonly kind?: keyof LabelsOf } = {},
): Promise<AnyLabels> {
  expectArguments("openLabels(spec)", { spec: [spec, "text"] });
  const parsed = parseDataSpec(spec);
  const all = await (kind === "arrays"
    ? wholeArrays(parsed)
    : kind === "boxes"
      ? wholeBoxes(parsed)
      : kind === "texts"
        ? wholeTexts(parsed)
        : openWhole(parsed, options));
  if (kind !== undefined && all.kind !== kind) {
    throw new AvocetError("data/labels", `expected labels of kind ${kind}, got ${all.kind}`, { at: spec });
  }
  return parsed.selections.reduce<AnyLabels>(selectLabels, all);
}

async function wholeArrays(spec: DataSpec): Promise<ArrayLabels> {
  const audio = spec.path.startsWith("{") ? [] : await audioFiles(spec.path);
  if (audio.length > 0) return rowLabels(await openAudio(audio, spec, undefined), spec.path);
  const [rows, ...more] = ((await openArrays(spec)) ?? new Map<string, ArrayRows>()).values();
  if (!rows || more.length > 0) {
    throw new AvocetError("data/labels", "expected one array of numbers, a sample on each row of its first axis", {
      at: spec.path,
      hint: "for example y.npy of [N, 3, height, width]",
    });
  }
  return rowLabels(rows, spec.path);
}

async function rowLabels(rows: ArrayRows, source: string): Promise<ArrayLabels> {
  return arrayLabels(await rows.read(Array.from({ length: rows.shape[0]! }, (_, i) => i)), source);
}

/** The JSON of labels; of a pack the index. */
async function labelJson(path: string): Promise<{ readonly json: unknown; readonly at: string } | null> {
  if (isPack(path)) {
    const { indexPath } = await packOfFile(path);
    return { json: await readJson(indexPath), at: indexPath };
  }
  return hasEnding(path, [".json"]) ? { json: await readJson(path), at: path } : null;
}

async function wholeBoxes({ path }: DataSpec): Promise<BoxLabels> {
  const found = await labelJson(path);
  const boxes = found && parseBoxes(found.json, found.at);
  if (boxes) return boxes;
  throw new AvocetError("data/labels", "expected boxes in JSON, got something else", {
    at: path,
    hint: '{"images": [{"boxes": [[class, x1, y1, x2, y2], …]}]} or annotations as of COCO: docs/judging.md',
  });
}

async function wholeTexts({ path }: DataSpec): Promise<TextLabels> {
  const found = await labelJson(path);
  if (!found && hasEnding(path, [".txt"])) return textLines(await labelText(path), path);
  const texts = found && parseTexts(found.json, found.at);
  if (texts) return texts;
  throw new AvocetError("data/labels", "expected texts, got something else", {
    at: path,
    hint: 'lines.txt with one a line, ["first", "second"], or {"images": [{"text": "first"}, …]}',
  });
}

async function openWhole(spec: DataSpec, { names }: LabelOptions): Promise<Labels> {
  const { path } = spec;
  if (path.startsWith("{")) return labelsOfArrays((await openArrays(spec))!, path, names);
  if (statOf(path).folder) return folderLabels(path);
  if (hasEnding(path, [".json"])) return jsonLabels(path, names);
  if (isPack(path)) {
    const { indexPath } = await packOfFile(path);
    return jsonLabels(indexPath, names);
  }
  const arrays = await openArrays(spec);
  if (arrays) return labelsOfArrays(arrays, path, names);
  return textLabels(await labelText(path), path, names);
}

async function jsonLabels(path: string, names: readonly string[] | undefined): Promise<Labels> {
  const json = await readJson(path);
  if (isRawDescription(json)) {
    return labelsOfRows(await openDescribed(json, folderOf(path), path), path, names);
  }
  if (isPackIndex(json)) {
    const { index } = packOfIndex(path, json);
    const known = names ?? index.classes;
    const classes = packLabels(index, path);
    if (classes) return classLabels(classes, path, known);
    if (index.labels) {
      const file = inside(dirname(path), index.labels, path);
      const spec: DataSpec = { path: file, selections: [], ...(index.label_shape && { shape: index.label_shape }) };
      return labelsOfArrays((await openArrays(spec)) ?? new Map(), file, known);
    }
  }
  if (Array.isArray(json) && json.every((value) => typeof value === "number")) return classLabels(json, path, names);
  throw new AvocetError("data/labels", "expected labels in the JSON, got none", {
    at: path,
    hint: 'an index with {"label": 3} per image, or an array of numbers',
  });
}

async function labelsOfArrays(
  arrays: ReadonlyMap<string, ArrayRows>,
  path: string,
  names: readonly string[] | undefined,
): Promise<Labels> {
  const [rows] = arrays.values();
  if (!rows || arrays.size !== 1) {
    throw new AvocetError("data/labels", `expected one array of labels, got ${arrays.size}`, { at: path });
  }
  return labelsOfRows(rows, path, names);
}

async function labelsOfRows(rows: ArrayRows, path: string, names: readonly string[] | undefined): Promise<Labels> {
  const { shape, dtype } = rows;
  const flat = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  if (!/^(u?int\d+|bool)$/.test(dtype) || !(flat || shape.length === 2 || shape.length === 3)) {
    throw new AvocetError(
      "data/labels",
      `expected whole numbers [N], [N, positions] or [N, height, width], got ${dtype}[${shape.join(",")}]`,
      {
        at: path,
        hint: 'the shape of raw masks is said so: "labels.u8?shape=-1,360,480"',
      },
    );
  }
  const all = await rows.read(Array.from({ length: shape[0]! }, (_, i) => i));
  if (flat) return classLabels(all.data as ArrayLike<number | bigint>, path, names);
  // Of each frame or token: a mask of one row.
  const [count, height, width] = shape.length === 2 ? [shape[0]!, 1, shape[1]!] : (shape as [number, number, number]);
  return maskLabels(maskBytes(all, path), [count, height, width], path, names);
}

function maskBytes(tensor: Tensor, at: string): Uint8Array {
  if (tensor.data instanceof Uint8Array) return tensor.data;
  return Uint8Array.from(tensor.data as Int32Array, (value, i) => {
    const number = Number(value);
    if (number >= 0 && number <= 255) return number;
    throw new AvocetError("data/labels", `expected class numbers 0 to 255 in masks, got ${value} at element ${i}`, {
      at,
    });
  });
}

async function folderLabels(path: string): Promise<Labels> {
  const files = await filesOf(path, imageEndings);
  if (files.length === 0) throw new AvocetError("data/none", "expected class folders or masks, got none", { at: path });
  const classes = classFolders(files);
  if (classes) return classLabels(classes.classes, path, classes.names);
  if (files.every((file) => hasEnding(file, [".png"]))) return folderMasks(path, files);
  throw new AvocetError("data/labels", "expected class folders, got images next to each other", {
    at: path,
    hint: "put the images of each class in a folder, or give a text file with one label a line",
  });
}

/** Masks stay as encoded as they are on disk, and are decoded when asked for: in bytes they would be many times larger. */
async function folderMasks(path: string, files: readonly string[]): Promise<Labels> {
  const encoded: Uint8Array[] = [];
  let left: number = dataLimits.maskBytes;
  for (const file of files) {
    encoded.push(await readWhole(join(path, file), Math.min(left, dataLimits.imageFileBytes)));
    left -= encoded.at(-1)!.length;
  }
  const maskOf = (index: number) => decodeMask(encoded[index]!, `${join(path, files[index]!)} (mask ${index})`);
  const { width, height } = maskOf(0);
  return {
    kind: "masks",
    source: path,
    count: files.length,
    width,
    height,
    at(index) {
      const mask = maskOf(index);
      if (mask.width === width && mask.height === height) return mask.data;
      throw new AvocetError(
        "data/labels",
        `expected masks of ${width} × ${height}, got ${mask.width} × ${mask.height}`,
        { at: join(path, files[index]!) },
      );
    },
  };
}

async function labelText(path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (cause) {
    if (!AvocetError.is(cause) || !/UTF-8/.test(cause.message)) throw cause;
    throw new AvocetError("data/labels", "expected labels as text, one a line, got other bytes", { at: path, cause });
  }
}
