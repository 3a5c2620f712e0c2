/** Weights in safetensors: one file, or the files that an index names. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type ByteSource, plainBytes } from "../byte-source.ts";
import { limits } from "../limits.ts";
import type { ExternalData } from "../onnx/context.ts";
import type { Weights } from "../weights.ts";
import { readHeader } from "./header.ts";

/** The names that folders of weights use, in the order in which they are looked for. */
export const safetensorsNames = ["model.safetensors", "model.safetensors.index.json"] as const;

/** Whether a file begins with the length of a JSON header and that header. */
export function isSafetensors(start: Uint8Array): boolean {
  if (start.length < 10) return false;
  // No header has 4 GiB, so that four of the eight bytes are zero.
  return start[4] === 0 && start[5] === 0 && start[6] === 0 && start[7] === 0 && start[8] === 0x7b;
}

/**
 * The tensors of one file; their elements are read when they are first looked at. Throws `import/truncated`,
 * `import/malformed`, `import/too-large`, and `import/unsupported-type` for the types of six bits.
 */
export function readSafetensors(source: ByteSource): Weights {
  const { entries, metadata } = readHeader(source);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, offset, length } of entries) {
    const load = () => Tensor.fromBytes(dtype, shape, plainBytes(source.read(offset, length))).data;
    tensors.set(name, Tensor.lazy(dtype, shape, load));
  }
  return { tensors, metadata };
}

/**
 * The tensors of the files that an index (`model.safetensors.index.json`) names; `open` finds those and refuses names that lead out
 * of the folder. Throws what `readSafetensors` does, `import/malformed` for a tensor that is not in the file that the index
 * names, and what `open` throws.
 */
export function readSafetensorsIndex(bytes: Uint8Array, name: string, open: ExternalData): Weights {
  if (bytes.length > limits.safetensorsHeaderBytes) {
    throw new AvocetError(
      "import/too-large",
      `expected an index of at most ${limits.safetensorsHeaderBytes} bytes, got ${bytes.length}`,
      { at: name },
    );
  }
  const json = parseJson(new TextDecoder().decode(bytes), { at: name, code: "import/malformed" }) as {
    readonly weight_map?: unknown;
  } | null;
  const map = typeof json === "object" ? json?.weight_map : undefined;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new AvocetError("import/malformed", "expected weight_map: the file of each tensor", { at: name });
  }
  const files = new Map<string, Weights>();
  const tensors = new Map<string, Tensor>();
  for (const [tensor, file] of Object.entries(map as Record<string, unknown>)) {
    if (typeof file !== "string") {
      throw new AvocetError("import/malformed", `expected the file of ${JSON.stringify(tensor)}, got none`, {
        at: name,
      });
    }
    const weights = files.get(file) ?? readSafetensors(open(file));
    files.set(file, weights);
    const found = weights.tensors.get(tensor);
    if (!found) {
      throw new AvocetError("import/malformed", `expected ${JSON.stringify(tensor)} in ${file}, got nothing there`, {
        at: name,
        hint: "index and files are of different models, or a file was not copied completely",
      });
    }
    tensors.set(tensor, found);
  }
  return { tensors, metadata: [...files.values()][0]?.metadata ?? new Map() };
}
