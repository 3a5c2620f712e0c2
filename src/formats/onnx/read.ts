/** Bytes of an ONNX file → Model. Runs anywhere; `read-node.ts` reads from disk. */
import { AvocetError, expectArguments } from "../../base/index.ts";
import type { Model } from "../../ir/index.ts";
import { checkNodes } from "../../ops/index.ts";
import { plainBytes } from "../byte-source.ts";
import { type ExternalData, Reading } from "./context.ts";
import { Decoding, decode } from "./decode.ts";
import { modelFromProto } from "./model-from-proto.ts";
import { expectOnnx } from "./recognise.ts";
import { modelType } from "./schema.ts";

export interface ReadOptions {
  /** The file's name, for messages (default: "model.onnx"). */
  readonly name?: string;
  /** Finds external data by location; without it a model that has any is refused. */
  readonly external?: ExternalData;
}

/**
 * Reads a model. Tensors are views of `bytes`, which must not change while the model lives; data that is not aligned is
 * copied when it is first looked at. Names, metadata, notes and fields of a newer ONNX are kept; sparse initializers
 * become Constant nodes with `sparse_value`. Throws `import/unknown-format`, `import/truncated`, `import/malformed`,
 * `import/unsupported-type`, `import/too-large`, `graph/invalid-node` for nodes that break the rules of their operators, and for external data `import/not-found` and `import/path-escape`.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  expectArguments("readModel(bytes)", { bytes: [bytes, "bytes"] });
  const file = options.name ?? "model.onnx";
  const plain = plainBytes(bytes);
  expectOnnx(plain, file);
  const proto = decode(modelType, plain, new Decoding(file));
  if (!proto.graph && proto.irVersion === undefined) {
    throw new AvocetError("import/unknown-format", "expected an ONNX model, got something without graph or version", {
      at: file,
    });
  }
  const model = modelFromProto(proto, new Reading(file, options.external));
  checkNodes(model);
  return model;
}
