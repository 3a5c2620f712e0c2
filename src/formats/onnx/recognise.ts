/** Tells an ONNX file from anything else before it is decoded, and says what else it looks like. */
import { AvocetError } from "../../base/index.ts";
import { foreignFormat } from "../foreign.ts";
import { modelType } from "./schema.ts";

/** Throws `import/unknown-format` for bytes that cannot be an ONNX model, and `import/truncated` for no bytes. */
export function expectOnnx(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) {
    throw new AvocetError("import/truncated", "expected an ONNX model, got an empty file", { at: file });
  }
  const foreign = foreignFormat(bytes, file);
  if (!foreign && isModel(bytes)) return;
  const { what, way } = foreign ?? { what: "something else" };
  throw new AvocetError("import/unknown-format", `expected an ONNX model, got ${what}`, {
    at: file,
    hint: way ?? "models are read from ONNX: export it where it was made",
  });
}

function isModel(bytes: Uint8Array): boolean {
  // The first tag of a protobuf message is a field number and a wire type: both must be ones that ModelProto has.
  const tag = bytes[0]! < 0x80 ? bytes[0]! : (bytes[0]! & 0x7f) | ((bytes[1] ?? 0) << 7);
  const row = modelType.rows.get(tag >>> 3);
  return row !== undefined && (row.kind === "int64" ? 0 : 2) === (tag & 7);
}
