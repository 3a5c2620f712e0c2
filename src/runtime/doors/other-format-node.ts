/** Model files that the runtime cannot open by their path, because they are no ONNX (Node). */
import type { SourceFormat } from "../../formats/inner.ts";
import { expectModelFile, readModelFile } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";

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
