/** Writes ONNX files to disk: whole or not at all, large weights streamed, input files never changed. */
import { closeSync, existsSync, openSync, realpathSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AvocetError } from "../../base/index.ts";
import type { Model } from "../../ir/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Sink } from "./encode.ts";
import { initializersOf, planShards, type Shard } from "./shards.ts";
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
  /** Whether files that are there, the model's or of data, may be replaced (default true). */
  readonly replace?: boolean;
}

export interface WrittenFiles {
  readonly model: string;
  readonly data: readonly string[];
  readonly byteLength: number;
}

/** The files beside the model that its tensors are still read from, sorted. */
export function dataFilesOf(model: Model): string[] {
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
 * Writes a model. Every file is made beside its place and renamed onto it when all are complete, the model last; after
 * an error nothing is left behind. Tensors that lie in files are copied range by range, and lazy ones are released
 * again. Throws `output/not-writable`, `output/exists` when a data file would replace one that the model is still read
 * from, and what `encodeModel` throws.
 */
export function writeModelFile(model: Model, path: string, options: FileWriteOptions = {}): WrittenFiles {
  const { externalData = "auto", externalFrom = 1024, shardBytes = ONE_FILE } = options;
  const tensors = initializersOf(model);
  const outside = isExternal(externalData, tensors)
    ? [...tensors].filter((t) => t.dtype !== "string" && t.byteLength >= externalFrom)
    : [];
  const plan = planShards(outside, basename(path), shardBytes);
  const folder = dirname(path);
  const data = plan.shards.map((shard) => join(folder, shard.location));
  if (options.replace === false) expectAbsent([path, ...data]);
  expectUnread(data, tensors);
  const encoded = encodeModel(model, (tensor) => plan.places.get(tensor));
  const files = new NewFiles();
  try {
    plan.shards.forEach((shard, i) => {
      files.write(data[i]!, (sink) => writeShard(shard, sink));
    });
    files.write(path, (sink) => encoded.writeTo(sink));
    files.publish();
  } finally {
    files.discard();
  }
  return { model: path, data, byteLength: files.byteLength };
}

function isExternal(choice: "auto" | "always" | "never", tensors: ReadonlySet<Tensor>): boolean {
  if (choice !== "auto") return choice === "always";
  let bytes = 0;
  for (const tensor of tensors) bytes += tensor.byteLength;
  return bytes > ONE_FILE;
}

function writeShard(shard: Shard, sink: Sink): void {
  let at = 0;
  for (const { tensor, offset } of shard.tensors) {
    if (offset > at) sink(new Uint8Array(offset - at));
    for (const chunk of payloadOf(tensor).chunks()) sink(chunk);
    at = offset + tensor.byteLength;
  }
}

function expectAbsent(targets: readonly string[]): void {
  const taken = targets.find((target) => existsSync(target));
  if (taken === undefined) return;
  throw new AvocetError("output/exists", `expected a new file, ${taken} exists`, {
    at: taken,
    hint: "allow it to be replaced (--force), or write under another name",
  });
}

/** Lazily read tensors must find their file as it was. */
function expectUnread(targets: readonly string[], tensors: ReadonlySet<Tensor>): void {
  const inUse = new Set<string>();
  for (const tensor of tensors) {
    const file = fileOf(tensor);
    if (file) inUse.add(resolve(file));
  }
  for (const target of targets) {
    if (!inUse.has(realPath(target))) continue;
    throw new AvocetError("output/exists", "expected a new data file, got one that the model is read from", {
      at: target,
      hint: "write to another folder or under another name",
    });
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** Files under construction beside their final places. */
class NewFiles {
  readonly #pending: { readonly made: string; readonly path: string }[] = [];
  byteLength = 0;

  write(path: string, fill: (sink: Sink) => void): void {
    const made = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.tmp`);
    const fd = system(path, () => openSync(made, "wx"));
    this.#pending.push({ made, path });
    try {
      fill((chunk) => {
        this.byteLength += chunk.length;
        for (let done = 0; done < chunk.length; ) {
          done += system(path, () => writeSync(fd, chunk, done, chunk.length - done));
        }
      });
    } finally {
      closeSync(fd);
    }
  }

  /** Renames everything to its place, in the order it was written. */
  publish(): void {
    for (const { made, path } of this.#pending) system(path, () => renameSync(made, path));
    this.#pending.length = 0;
  }

  /** Removes what was not published. */
  discard(): void {
    for (const { made } of this.#pending) rmSync(made, { force: true });
  }
}

function system<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AvocetError("output/not-writable", `expected a place that can be written, got: ${reason}`, {
      at: path,
      cause,
    });
  }
}
