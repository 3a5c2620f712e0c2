/** Model files that the runtime cannot open by their path, because they are no ONNX (Node). */
import type { SourceFormat } from "../../formats/inner.ts";
import { expectModelFile, mainFileOf, openModel } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";

/** The model of a file in another format; undefined for ONNX, and for what is no model for us: the runtime shall say what it thinks of it. */
export async function modelOfOtherFormat(path: string): Promise<Model | undefined> {
  let format: SourceFormat;
  try {
    format = expectModelFile(mainFileOf(path));
  } catch {
    return undefined;
  }
  return format.name === "onnx" ? undefined : await openModel(path);
}
