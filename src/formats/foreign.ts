/** What a file is that is no ONNX model, recognised by its first bytes and its name, and how it becomes one. */
export interface Foreign {
  readonly what: string;
  /** The name that a row of `sources.ts` has, or may have one day. */
  readonly format?: string;
  /** The usual way to ONNX. */
  readonly way?: string;
}

const torch =
  'its weights go into a model by avocet weights MODEL --from FILE; the program comes from Python: torch.export.save(torch.export.export(model.eval(), (example,)), "model.pt2")';
const weightsOnly =
  "it holds weights without a graph: export the program that runs them, for example optimum-cli export onnx --model FOLDER OUT";

/** tf2onnx, as one types it for this kind of source. */
const tf2onnx = (kind: string, source: string) => `python -m tf2onnx.convert --${kind} ${source} --output model.onnx`;

/** A first guess by how bytes begin; `name` decides between formats that begin alike. */
export function foreignFormat(start: Uint8Array, name: string): Foreign | undefined {
  const head = Array.from(start.subarray(0, 4096), (byte) => String.fromCharCode(byte)).join("");
  const ending = /\.[a-z0-9]+$/i.exec(basenameOf(name))?.[0].toLowerCase() ?? "";
  if (head.startsWith("PK\x03\x04")) return zipped(head, ending);
  const found = signatures.find(({ at, bytes }) => head.startsWith(bytes, at));
  if (found) return { ...found, ...(found.way === undefined ? {} : { way: found.way.replaceAll("FILE", name) }) };
  // The length of a JSON header in eight bytes, and that header.
  if (head.startsWith('{"', 8) && head.slice(4, 8) === "\0\0\0\0")
    return { what: "a safetensors file", format: "safetensors", way: weightsOnly };
  if (basenameOf(name) === "saved_model.pb" || beginsWithMetaGraph(start))
    return { what: "the graph of a TensorFlow SavedModel", format: "saved-model" };
  if (beginsWithNode(start)) return { what: "a TensorFlow graph", format: "frozen-graph" };
  return /^[\t\n\r -~\x80-\xff]{8,}/.test(head) ? text(head, name) : undefined;
}

/** A SavedModel begins with version 1 of its schema and a message that begins with a message. */
function beginsWithMetaGraph(start: Uint8Array): boolean {
  let at = 3;
  while (start[at]! >= 0x80 && at < 8) at++;
  return start[0] === 0x08 && start[1] === 1 && start[2] === 0x12 && start[at + 1] === 0x0a;
}

/** TensorFlow's graphs begin with a node: a message that begins with its name and its operator. */
function beginsWithNode(start: Uint8Array): boolean {
  let at = 1;
  while (start[at]! >= 0x80 && at < 6) at++;
  const name = start[at + 2]!;
  const operator = at + 3 + name;
  const letters = start.subarray(operator + 2, operator + 2 + start[operator + 1]!);
  return (
    start[0] === 0x0a &&
    start[at + 1] === 0x0a &&
    name < 0x80 &&
    start[operator] === 0x12 &&
    letters.length > 0 &&
    letters.every(isLetter)
  );
}

const isLetter = (byte: number): boolean => /\w/.test(String.fromCharCode(byte));

const signatures: readonly {
  readonly what: string;
  readonly format?: string;
  readonly at: number;
  readonly bytes: string;
  readonly way?: string;
}[] = [
  { what: "an HDF5 file (Keras .h5)", format: "keras-h5", at: 0, bytes: "\x89HDF" },
  { what: "a TensorFlow Lite model", format: "tflite", at: 4, bytes: "TFL3", way: tf2onnx("tflite", "FILE") },
  { what: "a Python pickle (PyTorch .pth)", format: "pytorch-weights", at: 0, bytes: "\x80\x02", way: torch },
  { what: "a gzip archive", at: 0, bytes: "\x1f\x8b", way: "unpack it first" },
  { what: "a NumPy array", at: 0, bytes: "\x93NUMPY", way: "arrays are data: --data FILE" },
  { what: "an ONNX Runtime .ort file", at: 4, bytes: "ORTM", way: "give the .onnx file that it was made from" },
  { what: "a GGUF file", format: "gguf", at: 0, bytes: "GGUF", way: weightsOnly },
  { what: "a PNG image", at: 0, bytes: "\x89PNG", way: "images are data: --data FILE" },
  { what: "a JPEG image", at: 0, bytes: "\xff\xd8\xff", way: "images are data: --data FILE" },
  { what: "audio (WAV)", at: 0, bytes: "RIFF", way: "audio is data: --data FILE" },
  {
    what: "a Git LFS pointer (the file itself was not downloaded)",
    at: 0,
    bytes: "version https://git-lfs",
    way: "git lfs pull",
  },
];

/** Zip archives, by the first entry and by the name. */
function zipped(head: string, ending: string): Foreign {
  const entry = head.slice(30, 30 + (head.charCodeAt(26) | (head.charCodeAt(27) << 8)));
  if (
    ending === ".pt2" ||
    /^serialized_exported_program\.json$|archive_format|models\/.*\.json|\/data\/(weights|constants)\//.test(entry)
  ) {
    return {
      what: "a PyTorch program (.pt2, torch.export)",
      format: "pytorch-program",
      way: 'in Python: torch.onnx.export(torch.export.load("FILE.pt2"), dynamo=True).save("model.onnx")',
    };
  }
  if (ending === ".keras" || /^(metadata|config)\.json$/.test(entry))
    return { what: "a Keras model (.keras)", format: "keras" };
  if (ending === ".npz" || entry.endsWith(".npy"))
    return { what: "NumPy arrays (.npz)", way: "arrays are data: --data" };
  if (/^\.(pt|pth|bin|ckpt|jit|th)$/.test(ending) || /data\.pkl$|\/(version|byteorder)$/.test(entry)) {
    return { what: "a PyTorch file (a pickle or TorchScript in a zip archive)", format: "pytorch-weights", way: torch };
  }
  return {
    what: "a zip archive (.pt2, .pth, .keras and .npz files are zips)",
    way: "export the model to ONNX where it was made",
  };
}

function text(head: string, name: string): Foreign {
  if (/^\s*[{[]/.test(head)) {
    if (/"modelTopology"|"format"\s*:\s*"(graph|layers)-model"/.test(head)) {
      const format = /"format"\s*:\s*"layers-model"|"model_config"/.test(head) ? "tfjs-layers" : "tfjs-graph";
      return { what: "a TensorFlow.js model", format, way: tf2onnx("tfjs", name) };
    }
    if (/"model_type"\s*:/.test(head))
      return { what: "the config.json of a Hugging Face model", format: "hugging-face", way: weightsOnly };
    return { what: "JSON text", way: "a model is an .onnx file; recipes go behind --recipe, targets behind --target" };
  }
  if (/^\s*<\?xml[\s\S]*<net\b|^\s*<net\b/.test(head))
    return { what: "an OpenVINO model (.xml)", way: "give the model that it was made from" };
  return { what: "text" };
}

/** The last part of a path of any system. */
function basenameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}
