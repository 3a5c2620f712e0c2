/** Model → bytes of an ONNX file. Runs anywhere; `write-node.ts` writes to disk. */
import { AvocetError, expectArguments } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { limits } from "../limits.ts";
import { bytesOf, type Encoded, encode } from "../protobuf/encode.ts";
import { modelToProto, type Placement } from "./model-to-proto.ts";
import { modelType } from "./schema.ts";

/**
 * The model as one buffer, everything inside. Throws `graph/invalid` for graphs that no file can say, and
 * `output/too-large` beyond 2 GiB, where only `writeModelFile` with external data helps.
 */
export function writeModel(model: Model): Uint8Array {
  expectArguments("writeModel(model)", { model: [model, "model"] });
  return bytesOf(encodeModel(model));
}

/** The model measured and ready to be written in pieces: large tensors are handed to the sink as they are. */
export function encodeModel(model: Model, placement: Placement = () => undefined): Encoded {
  const encoded = encode(modelType, modelToProto(model, placement));
  if (encoded.byteLength <= limits.onnxFileBytes) return encoded;
  throw new AvocetError("output/too-large", `expected a model file below 2 GiB, got ${encoded.byteLength} bytes`, {
    ...(model.source ? { at: model.source } : {}),
    hint: "write it with external data",
  });
}
