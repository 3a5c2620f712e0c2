/** Opens whatever a path holds as a dataset that fits a model's inputs. */
import { join } from "node:path";
import { AvocetError, expectArguments } from "../../base/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { placeArray } from "../arrays/array-axes.ts";
import { arrayDataset, placedDataset, scaledRows } from "../arrays/arrays.ts";
import { tokenPort } from "../arrays/tokens.ts";
import { conform } from "../conform.ts";
import type { IndexedDataset, InputPort } from "../dataset.ts";
import { arrayImages, encodedImages, type ImageSource, imageDataset } from "../images/images.ts";
import { dataLimits } from "../limits.ts";
import { isPackIndex, packFiles } from "../pack.ts";
import { type Preprocess, type PreprocessInput, parsePreprocess } from "../preprocess.ts";
import { samples } from "../selection.ts";
import { folderOf, isRawDescription, openArrays, openDescribed } from "./array-file-node.ts";
import { fileSource, readJson, readWhole, statOf } from "./file-source-node.ts";
import { filesOf, hasEnding } from "./folder-node.ts";
import { nodeImageDecoder } from "./jpeg-node.ts";
import { isPack, type PackPaths, packOfFile, packOfIndex } from "./pack-node.ts";
import {
  audioFiles,
  openAudio,
  openTokenArray,
  openTokenJson,
  openTokenLines,
  openTokenText,
} from "./sequence-node.ts";
import { type DataSpec, parseDataSpec } from "./spec-node.ts";

/** How names of image files end. */
export const imageEndings = [".jpg", ".jpeg", ".png"];

export interface OpenOptions {
  /** The model's inputs; the data is checked against them. */
  readonly inputs: readonly InputPort[];
  /** From pixels to the model's input. Images need it; arrays are scaled by it. */
  readonly preprocess?: Preprocess | PreprocessInput | undefined;
  /** Bytes of prepared images to keep in memory between passes. Default 32 MiB: 200 images of 224 × 224. */
  readonly cacheBytes?: number | undefined;
}

/**
 * Opens data: a folder of images (with or without class folders), a pack (either of its files), one image, .npy,
 * .npz, a raw array, an IDX file, WAV files, a .jsonl of token ids, a .txt with `?tokenizer=`. `spec` is a path or `PATH?every=5` (see `parseDataSpec`). The first sample is read
 * and checked.
 * Throws `data/not-found`, `data/none`, `data/unreadable`, `data/wrong-inputs`, `data/wrong-shape`, `data/wrong-dtype`,
 * `usage/missing`.
 */
export async function openData(spec: string, options: OpenOptions): Promise<IndexedDataset> {
  expectArguments("openData(spec, { inputs })", { spec: [spec, "text"], options: [options, "object"] });
  if (!Array.isArray(options.inputs)) {
    throw new AvocetError("usage/bad-value", "expected the model's inputs as options.inputs, got none", {
      at: "openData(spec, { inputs })",
      hint: "openData of avocet/node takes the model; session.inputs are ports, too",
    });
  }
  const parsed = parseDataSpec(spec);
  const preprocess = options.preprocess === undefined ? null : parsePreprocess(options.preprocess);
  const whole = await openWhole(parsed, options, preprocess);
  let part = whole;
  for (const selection of parsed.selections) part = samples(part, selection);
  return conform(part, options.inputs);
}

async function openWhole(
  spec: DataSpec,
  { inputs, cacheBytes = 32 << 20 }: OpenOptions,
  preprocess: Preprocess | null,
): Promise<IndexedDataset> {
  // What a number fills is no business of the data.
  const wanted = inputs.filter(({ constant }) => constant === undefined);
  const sequences = await openSequences(spec, wanted, preprocess);
  if (sequences) return sequences;
  refuseIdleKeys(spec, ["length", "hop", "pad", "rate", "key", "tokenizer", "lines"], "tokens, texts and audio");
  const images = await openImages(spec, preprocess?.orient ?? false);
  const input = wanted[0]?.name ?? "input";
  if (images) {
    refuseIdleKeys(spec, ["dtype", "shape", "axis"], "arrays");
    if (!preprocess) {
      throw new AvocetError("usage/missing", "expected preprocessing for images, got none", {
        at: spec.path,
        hint: 'add --preprocess FILE.json, for example {"resize": {"short": 256}, "crop": 224, "scale": "1/255"}',
      });
    }
    return imageDataset(images, { input, preprocess, cacheBytes });
  }
  const arrays = await arraysOf(spec);
  if (!arrays) {
    throw new AvocetError("data/unreadable", "expected images or arrays, got a file of another kind", {
      at: spec.path,
      hint: "data is a folder of images or WAV files, a .txt that lists WAV files, a pack (.jpgpack and .json), .npy, .npz, .jsonl, or a raw array with its shape",
    });
  }
  if (arrays.size === 0)
    throw new AvocetError("data/none", "expected an array in the archive, got none", { at: spec.path });
  return datasetOfArrays(arrays, spec, { input, inputs: wanted, preprocess, cacheBytes });
}

async function datasetOfArrays(
  arrays: ReadonlyMap<string, ArrayRows>,
  { path, axis }: DataSpec,
  options: { input: string; inputs: readonly InputPort[]; preprocess: Preprocess | null; cacheBytes: number },
): Promise<IndexedDataset> {
  const { input, inputs, preprocess, cacheBytes } = options;
  const placed = (rows: ArrayRows, name: string) =>
    placeArray(
      preprocess ? scaledRows(rows, preprocess) : rows,
      inputs.find((port) => port.name === name),
      axis,
    );
  if (arrays.size === 1 && inputs.length <= 1) {
    const rows = [...arrays.values()][0]!;
    const images = preprocess ? arrayImages(rows) : null;
    if (preprocess && images) return imageDataset(images, { input, preprocess, cacheBytes });
    return placedDataset({ [input]: await placed(rows, input) }, path);
  }
  const wanted = [...arrays].filter(([name]) => inputs.some((port) => port.name === name));
  const used = wanted.length > 0 ? wanted : [...arrays];
  const entries = await Promise.all(used.map(async ([name, rows]) => [name, await placed(rows, name)] as const));
  return placedDataset(Object.fromEntries(entries), path);
}

/** Throws `usage/bad-value` for a key behind the question mark that says nothing of such data. */
function refuseIdleKeys(spec: DataSpec, keys: readonly (keyof DataSpec)[], of: string): void {
  const idle = keys.find((key) => spec[key] !== undefined);
  if (idle === undefined) return;
  throw new AvocetError("usage/bad-value", `expected what this data can be asked, got "?${idle}="`, {
    at: spec.path,
    hint: `${idle} is of ${of}`,
  });
}

async function arraysOf(spec: DataSpec): Promise<ReadonlyMap<string, ArrayRows> | null> {
  const { path } = spec;
  if (!path.startsWith("{") && hasEnding(path, [".json"])) {
    const json = await readJson(path);
    return isRawDescription(json) ? new Map([["", await openDescribed(json, folderOf(path), path)]]) : null;
  }
  return openArrays(spec);
}

/** The token ids or the audio that a path holds, or null when it holds something else. */
async function openSequences(
  spec: DataSpec,
  inputs: readonly InputPort[],
  preprocess: Preprocess | null,
): Promise<IndexedDataset | null> {
  const { path } = spec;
  if (path.startsWith("{")) return null;
  const { folder } = statOf(path);
  const tokens = () => {
    refuseIdleKeys(spec, ["dtype", "shape", "rate", "axis"], "arrays and audio");
    if (!preprocess) return;
    throw new AvocetError("usage/bad-value", "expected token ids without preprocessing, got some", {
      at: path,
      hint: "preprocessing is of images, arrays and audio",
    });
  };
  if (!folder && hasEnding(path, [".jsonl"])) {
    const found = await openTokenLines(spec, inputs);
    tokens();
    return found;
  }
  if (!folder && hasEnding(path, [".json"])) {
    const found = openTokenJson(await readJson(path), spec, inputs);
    if (found) tokens();
    return found;
  }
  if (!folder && hasEnding(path, [".txt"]) && (spec.tokenizer !== undefined || tokenPort(inputs))) {
    tokens();
    return openTokenText(spec, inputs);
  }
  if (!folder && hasEnding(path, [".npy", ".npz"]) && !preprocess) {
    const found = await openTokenArray(spec, inputs);
    if (found) tokens();
    if (found) return found;
  }
  const audio = await audioFiles(path);
  if (audio.length === 0) return null;
  refuseIdleKeys(spec, ["dtype", "shape", "pad", "axis", "key"], "other data");
  const rows = await openAudio(audio, spec, inputs[0]);
  return arrayDataset({ [inputs[0]?.name ?? "input"]: preprocess ? scaledRows(rows, preprocess) : rows }, path);
}

/** The images that a path holds, or null when it holds something else. */
async function openImages({ path }: DataSpec, turn: boolean): Promise<ImageSource | null> {
  if (path.startsWith("{")) return null;
  const { folder } = statOf(path);
  if (folder) return folderImages(path, turn);
  if (hasEnding(path, imageEndings)) return fileImages(path, [""], turn);
  if (isPack(path)) return packImages(await packOfFile(path), turn);
  if (!hasEnding(path, [".json"])) return null;
  const json = await readJson(path);
  return isPackIndex(json) ? packImages(packOfIndex(path, json), turn) : null;
}

async function folderImages(path: string, turn: boolean): Promise<ImageSource> {
  const files = await filesOf(path, imageEndings);
  if (files.length === 0) {
    throw new AvocetError("data/none", "expected images or WAV files in the folder, got none", {
      at: path,
      hint: `images end in ${imageEndings.join(", ")}`,
    });
  }
  return fileImages(path, files, turn);
}

function fileImages(folder: string, files: readonly string[], turn: boolean): ImageSource {
  const pathOf = (index: number) => (files[index] === "" ? folder : join(folder, files[index]!));
  return encodedImages(
    {
      count: files.length,
      source: folder,
      name: (index) => `${pathOf(index)} (image ${index})`,
      bytes: (index) => readWhole(pathOf(index), dataLimits.imageFileBytes),
    },
    nodeImageDecoder(),
    turn,
  );
}

async function packImages({ pack, index }: PackPaths, turn: boolean): Promise<ImageSource> {
  return encodedImages(packFiles(await fileSource(pack), index), nodeImageDecoder(), turn);
}
