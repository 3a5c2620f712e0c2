/** Model files that the runtime cannot open by their path, because they are no ONNX (Node). */
import type { SourceFormat } from "../../formats/index.ts";
import { expectModelFile, readModelFile } from "../../formats/index-node.ts";
import type { Model } from "../../ir/index.ts";

/** The model of a file in another format; undefined for ONNX, and for what is no model for us: the runtime shall say what it thinks of it. */
export function modelOfOtherFormat(path: string): Model | undefined {
  let format: SourceFormat;
  try {
    format = expectModelFile(path);
  } catch {
    return undefined;
  }
  return format.name === "onnx" ? undefined : readModelFile(path);
}
