/** Writes ONNX files to disk: whole or not at all, large weights streamed, input files never changed. */

import { basename, dirname, join } from "node:path";
import { expectArguments } from "../../base/inner.ts";
import {
  disk,
  expectApart,
  lockBeside,
  type NewFile,
  newFileBeside,
  outputPlace,
  quietly,
  type Seen,
  sha256OfFile,
  sweepFiles,
  writable,
} from "../../base/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { openedFilesOf } from "../opened-files-node.ts";
import type { Sink } from "../protobuf/encode.ts";
import { dataLocation, removeUnused } from "./data-files-node.ts";
import { initializersOf, placesOf, planShards, type Shard } from "./shards.ts";
import { fileOf, payloadOf } from "./tensor-to-proto.ts";
import { encodeModel } from "./write.ts";

export interface FileWriteOptions {
  /**
   * Weights in files of their own: "never", "always", or "auto" (default), which does it when the model would not fit
   * into one file of 1.9 GB.
   */
  readonly externalData?: "auto" | "always" | "never";
  /** Tensors below this many bytes stay in the model file (default 1024, as the onnx package does). */
  readonly externalFrom?: number;
  /** Largest data file in bytes (default 1.9 × 10⁹); a tensor larger than that has a file of its own. */
  readonly shardBytes?: number;
  /**
   * Whether a model that is there may be replaced (default true); or what was seen there before the work began, which is
   * replaced only when it still is there.
   */
  readonly replace?: boolean | Seen;
  /** Whether the files must survive a failure of power (default true); temporary ones need not. */
  readonly durable?: boolean;
}

export interface WrittenFiles {
  readonly model: string;
  readonly data: readonly string[];
  readonly byteLength: number;
}

/** The files next to the model that its tensors are still read from, sorted; of other formats than ONNX all that were opened. */
export function dataFilesOf(model: Model): string[] {
  const files = new Set([...filesOf(model), ...openedFilesOf(model)]);
  return [...files].filter((file) => file !== model.source).sort();
}

/** With the model's own file, where it is a large one. */
function filesOf(model: Model): string[] {
  const files = new Set<string>();
  for (const tensor of initializersOf(model)) {
    const file = fileOf(tensor);
    if (file) files.add(file);
  }
  return [...files].sort();
}

/** Room below protobuf's 2 GiB for everything but the tensors. */
const ONE_FILE = 1.9e9;

/**
 * Writes a model. Every file is made next to its place and renamed onto it when all are complete, the model last; after
 * an error nothing is left behind. Data files are named after their content, so that a model that is replaced keeps its own
 * until the new one is there; then the old ones go, unless another model of the folder names them. Tensors that lie in files
 * are copied range by range, and lazy ones are released again. Throws `output/not-writable`, `output/exists`,
 * `output/is-input` for a place that the model's weights are read from, and what `encodeModel` throws.
 */
export function writeModelFile(model: Model, path: string, options: FileWriteOptions = {}): WrittenFiles {
  const { externalData = "auto", externalFrom = 1024, shardBytes = ONE_FILE, replace = true, durable = true } = options;
  expectArguments("writeModelFile(model, path)", { model: [model, "model"], path: [path, "text"] });
  const tensors = initializersOf(model);
  const outside = isExternal(externalData, tensors)
    ? [...tensors].filter((t) => t.dtype !== "string" && t.byteLength >= externalFrom)
    : [];
  expectApart(path, [...filesOf(model), ...openedFilesOf(model)]);
  const place = outputPlace(path);
  const shards = planShards(outside, shardBytes);
  sweepFiles(place);
  const made: NewFile[] = [];
  try {
    for (const shard of shards) made.push(newFileBeside(place, (sink) => writeShard(shard, sink), durable));
    const locations = made.map(({ sha256 }) => dataLocation(basename(place), sha256));
    const places = placesOf(shards, locations);
    const encoded = encodeModel(model, (tensor) => places.get(tensor));
    using file = newFileBeside(place, (sink) => encoded.writeTo(sink), durable);
    // Whoever removes data files that no model names must not meet one whose model is on its way.
    using _lock = lockBeside(place, patience);
    const data = locations.map((location) => join(dirname(place), location));
    const added = made.filter((one, i) => publishData(one, data[i]!)).map((one) => data[made.indexOf(one)]!);
    try {
      file.publish(place, replace === true ? "any" : replace === false ? null : replace);
    } catch (error) {
      for (const one of added) quietly(() => disk.unlink(one));
      throw error;
    }
    removeUnused(place, new Set([...data, ...dataFilesOf(model)]));
    const byteLength = made.reduce((sum, one) => sum + one.byteLength, file.byteLength);
    return { model: path, data: locations.map((location) => join(dirname(path), location)), byteLength };
  } finally {
    for (const one of made) one[Symbol.dispose]();
  }
}

/** Milliseconds to wait for another run that is just renaming its files here. */
const patience = 10_000;

/** Whether the file was not there before, whole. */
function publishData(made: NewFile, place: string): boolean {
  const found = writable(place, () => disk.lstat(place));
  const same = found?.isFile() && found.size === made.byteLength && quietly(() => sha256OfFile(place)) === made.sha256;
  if (same) return false;
  made.publish(place, "any");
  return true;
}

function isExternal(choice: "auto" | "always" | "never", tensors: ReadonlySet<Tensor>): boolean {
  if (choice !== "auto") return choice === "always";
  let bytes = 0;
  for (const tensor of tensors) bytes += tensor.byteLength;
  return bytes > ONE_FILE;
}

function writeShard(shard: Shard, sink: Sink): void {
  let at = 0;
  for (const { tensor, offset } of shard) {
    if (offset > at) sink(new Uint8Array(offset - at));
    for (const chunk of payloadOf(tensor).chunks()) sink(chunk);
    at = offset + tensor.byteLength;
  }
}
