/** A model in the form in which ONNX Runtime takes it in: bytes, or temporary files when it is too large for one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { disk, notWritable, quietly } from "../../base/inner-node.ts";
import { writeModel } from "../../formats/inner.ts";
import { readModelFile, writeModelFile } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";

/**
 * The runtime maps files into its memory, but keeps a copy of bytes: beyond this the copy costs more than the file. What has no room
 * on disk may still cross as bytes, as long as protobuf holds it (2 GiB, and the graph itself must fit next to the tensors).
 */
const mostBytes = 256e6;
const mostInOneFile = 1.8e9;

/**
 * The model of a large file that holds its own weights, to be packed: the runtime would keep the file's bytes next to its tensors. Nothing for
 * other files, and for what only the runtime can read.
 */
export function largeModel(path: string, limit = mostBytes): Model | undefined {
  if ((quietly(() => disk.stat(path))?.size ?? 0) <= limit) return undefined;
  try {
    return readModelFile(path);
  } catch (error) {
    if (AvocetError.is(error)) return undefined;
    throw error;
  }
}

export interface PackedModel {
  /** Bytes, or a path. */
  readonly file: Uint8Array | string;
  /** Call it once the runtime has loaded the file, or has failed to. */
  remove(): Promise<void>;
}

/** `limit` is the number of bytes of constants beyond which the model goes to disk. */
export async function packModel(model: Model, limit = mostBytes): Promise<PackedModel> {
  let bytes = 0;
  for (const { initializer } of model.graph.initializers) bytes += initializer?.byteLength ?? 0;
  if (bytes <= limit) return { file: writeModel(model), remove: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), "avocet-")).catch((cause: unknown) => {
    throw notWritable(tmpdir(), cause);
  });
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const path = join(folder, "model.onnx");
    writeModelFile(model, path, { externalData: "always", durable: false });
    return { file: path, remove };
  } catch (error) {
    await remove();
    if (AvocetError.is(error) && error.code === "output/not-writable" && bytes <= mostInOneFile) {
      return { file: writeModel(model), remove: async () => {} };
    }
    throw error;
  }
}
