/** Tells an ONNX file from anything else before it is decoded, and says what else it looks like. */
import { AvocetError } from "../../base/index.ts";
import { modelType } from "./schema.ts";

const signatures: readonly { readonly what: string; readonly at: number; readonly bytes: string }[] = [
  { what: "a zip archive (.pt2, .pth, .keras and .npz files are zips)", at: 0, bytes: "PK\x03\x04" },
  { what: "an HDF5 file (Keras .h5)", at: 0, bytes: "\x89HDF" },
  { what: "a TensorFlow Lite model", at: 4, bytes: "TFL3" },
  { what: "a Python pickle (PyTorch .pth)", at: 0, bytes: "\x80\x02" },
  { what: "a gzip archive", at: 0, bytes: "\x1f\x8b" },
  { what: "a NumPy array", at: 0, bytes: "\x93NUMPY" },
  { what: "an ONNX Runtime .ort file", at: 4, bytes: "ORTM" },
  { what: "a GGUF file", at: 0, bytes: "GGUF" },
  { what: "a PNG picture", at: 0, bytes: "\x89PNG" },
  { what: "a JPEG picture", at: 0, bytes: "\xff\xd8\xff" },
  { what: "a Git LFS pointer (the file itself was not downloaded)", at: 0, bytes: "version https://git-lfs" },
];

/** Throws `import/unknown-format` for bytes that cannot be an ONNX model, and `import/truncated` for no bytes. */
export function expectOnnx(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) {
    throw new AvocetError("import/truncated", "expected an ONNX model, got an empty file", { at: file });
  }
  const what = foreignFormat(bytes);
  if (!what) return;
  throw new AvocetError("import/unknown-format", `expected an ONNX model, got ${what}`, { at: file });
}

function foreignFormat(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  const known = signatures.find(({ at, bytes: magic }) => head.startsWith(magic, at));
  if (known) return known.what;
  if (/^[\t\n\r -~]{8,}$/.test(head)) return /^\s*[{[]/.test(head) ? "JSON text" : "text";
  // The first tag of a protobuf message is a field number and a wire type: both must be ones that ModelProto has.
  const tag = bytes[0]! < 0x80 ? bytes[0]! : (bytes[0]! & 0x7f) | ((bytes[1] ?? 0) << 7);
  const row = modelType.rows.get(tag >>> 3);
  if (row && (row.kind === "int64" ? 0 : 2) === (tag & 7)) return undefined;
  return "something else";
}
