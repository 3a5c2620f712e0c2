/** Bytes of a model file of any readable format → Model. Runs anywhere; `read-node.ts` reads from disk. */
import { AvocetError, expectArguments } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { plainBytes } from "./byte-source.ts";
import type { ExternalData } from "./onnx/context.ts";
import type { SourceChoices, SourceFile, SourceFormat } from "./source-format.ts";
import { readerAtHand, sourceOf } from "./sources.ts";

export interface ReadOptions extends SourceChoices {
  /** The file's name, for messages and for formats that are recognised by name (default: "model.onnx"). */
  readonly name?: string;
  /** Finds external data by location; without it a model that has any is refused. */
  readonly external?: ExternalData;
}

/**
 * Reads an ONNX model, or one in ONNX text; `openModel` reads every other format, too. Tensors are views of `bytes`, which must not
 * change while the model lives; data that is not aligned is copied when it is first looked at. Names, metadata, notes and fields of a
 * newer ONNX are kept; sparse initializers become Constant nodes with `sparse_value`. Throws `import/unknown-format`,
 * `import/truncated`, `import/malformed`, `import/unsupported-type`, `import/too-large`, `graph/invalid-node` for nodes
 * that break the rules of their operators, and for external data `import/not-found` and `import/path-escape`.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  expectArguments("readModel(bytes)", { bytes: [bytes, "bytes"] });
  const { format, file } = sourceFile(bytes, options);
  return readerAtHand(format, file.name, "await openModel(bytes)").read(file);
}

/** Reads bytes of any format: what `openModel` of runtime/ does with bytes. */
export async function openModel(bytes: Uint8Array, options: ReadOptions = {}): Promise<Model> {
  const { format, file } = sourceFile(bytes, options);
  return (await format.load()).read(file);
}

function sourceFile(bytes: Uint8Array, options: ReadOptions): { format: SourceFormat; file: SourceFile } {
  const name = options.name ?? "model.onnx";
  const plain = plainBytes(bytes);
  const format = sourceOf(plain, name);
  const { limit, what } = format;
  if (plain.length > limit.bytes) {
    throw new AvocetError("import/too-large", `expected ${what} of at most ${limit.bytes} bytes, got ${plain.length}`, {
      at: name,
      hint: limit.hint,
    });
  }
  const { external } = options;
  return { format, file: { name, bytes: plain, ...(external ? { external } : {}), choices: options } };
}
