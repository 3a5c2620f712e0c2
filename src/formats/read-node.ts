/** Reads model files of any readable format from disk; external data and the weights of large files stay there until a tensor is looked at. */
import { basename, dirname } from "node:path";
import { expectArguments } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { fileSource, readStart, readWhole } from "./file-source-node.ts";
import { mainFileOf } from "./foreign-folder-node.ts";
import type { ExternalData } from "./onnx/context.ts";
import { externalIn } from "./onnx/external-node.ts";
import { noteOpened } from "./opened-files-node.ts";
import type { ReadOptions } from "./read.ts";
import type { SourceFormat, SourceReader } from "./source-format.ts";
import { readerAtHand, sourceOf, startBytes } from "./sources.ts";

export interface FileReadOptions {
  /** Folder of the external data (default: the model's). Nothing outside it is ever opened. */
  readonly folder?: string;
}

export interface OpenOptions extends FileReadOptions, ReadOptions {}

/** Bytes of a file that is held in memory whole: one of lazy tensors holds as much (tensor/loaded.ts). */
const held = 256e6;

/**
 * The format of a model file, from its beginning: files of any size are recognised at once. Throws `import/not-found`,
 * `import/unknown-format`, `import/truncated`.
 */
export function expectModelFile(path: string): SourceFormat {
  return sourceOf(readStart(path, startBytes), path);
}

/** Reads a file of ONNX or ONNX text; see `readModel` for what is thrown, and `import/not-found` when there is no such file. */
export function readModelFile(path: string, options: FileReadOptions = {}): Model {
  expectArguments("readModelFile(path)", { path: [path, "text"] });
  const format = expectModelFile(path);
  return readWith(readerAtHand(format, path, "await openModel(path)"), format, path, options);
}

/** Reads a file of any format, or a folder that is one model: what `openModel` of runtime/ does with a path in Node. */
export async function openModel(given: string, options: OpenOptions = {}): Promise<Model> {
  const path = mainFileOf(given);
  const format = expectModelFile(path);
  return readWith(await format.load(), format, path, options);
}

function readWith(
  { read, readRanges, withoutWeights }: SourceReader,
  { name, limit }: SourceFormat,
  path: string,
  options: OpenOptions,
): Model {
  const onDisk = externalIn(options.folder ?? dirname(path), basename(path));
  const from = (external: ExternalData, note: (path: string) => void = () => {}) => {
    const source = fileSource(path);
    if (readRanges && source.size > held) {
      note(path);
      return readRanges(source, options);
    }
    const light = source.size > held && source.size <= limit.bytes ? withoutWeights?.(source, external) : undefined;
    return read(light ?? { name: path, bytes: readWhole(path, limit.bytes, limit.hint), external, choices: options });
  };
  // Tensors of ONNX say themselves in which files they lie, and whether they still do.
  return options.external || name.startsWith("onnx") ? from(options.external ?? onDisk) : noteOpened(onDisk, from);
}
