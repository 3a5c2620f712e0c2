/** ONNX as a format of files: bytes → Model. */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import { foreignFormat } from "../foreign.ts";
import { limits } from "../limits.ts";
import { Decoding, decode } from "../protobuf/decode.ts";
import type { SourceFile, SourceFormat, SourceReader } from "../source-format.ts";
import { Reading } from "./context.ts";
import { modelFromProto } from "./model-from-proto.ts";
import { modelType } from "./schema.ts";
import { withoutWeights } from "./without-weights.ts";

const reader: SourceReader = { read: readOnnx, withoutWeights };

export const onnx: SourceFormat = {
  name: "onnx",
  what: "an ONNX model",
  limit: { bytes: limits.onnxFileBytes, hint: "keep large weights in external data" },
  // ONNX has no signature: what some other format claims is none, and the rest has to begin as a ModelProto may.
  recognises: (start, name) => foreignFormat(start, name) === undefined && beginsAsModel(start),
  reader,
  load: async () => reader,
};

function readOnnx({ name, bytes, external }: SourceFile): Model {
  const proto = decode(modelType, bytes, new Decoding(name));
  if (!proto.graph && proto.irVersion === undefined) {
    throw new AvocetError("import/unknown-format", "expected an ONNX model, got something without graph or version", {
      at: name,
    });
  }
  const model = modelFromProto(proto, new Reading(name, external));
  checkNodes(model);
  return model;
}

/** The first tag of a protobuf message is a field number and a wire type: both must be ones that ModelProto has. */
function beginsAsModel(bytes: Uint8Array): boolean {
  const tag = bytes[0]! < 0x80 ? bytes[0]! : (bytes[0]! & 0x7f) | ((bytes[1] ?? 0) << 7);
  const row = modelType.rows.get(tag >>> 3);
  return row !== undefined && (row.kind === "int64" ? 0 : 2) === (tag & 7);
}
