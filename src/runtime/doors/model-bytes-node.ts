/** A model file as one array of bytes (Node): what WebAssembly, which sees no disk, can open. */
import { readFile } from "node:fs/promises";
import { readModel, writeModel } from "../../formats/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { loadFailure } from "./ort-failure.ts";
import { modelOfOtherFormat } from "./other-format-node.ts";

/** The file itself, or as ONNX where it is in another format or has external data. Throws `runtime/load`, and what writing throws past 2 GiB. */
export async function modelBytes(path: string): Promise<Uint8Array> {
  const other = await modelOfOtherFormat(path);
  if (other) return writeModel(other);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw loadFailure(cause, path);
  });
  return hasExternalData(bytes) ? writeModel(readModelFile(path)) : bytes;
}

/** A file that is no model for us has none: the runtime shall say what it thinks of it. */
function hasExternalData(bytes: Uint8Array): boolean {
  let isAsked = false;
  try {
    readModel(bytes, {
      external: (location) => {
        isAsked = true;
        throw new Error(location);
      },
    });
  } catch {
    return isAsked;
  }
  return false;
}
