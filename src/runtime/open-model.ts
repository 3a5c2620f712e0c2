/** Models of any format by name or from bytes, in Node and in browsers. */
import { expectArguments } from "../base/inner.ts";
import { openModel as openBytes, type ReadOptions } from "../formats/inner.ts";
import type { Model } from "../ir/inner.ts";

/**
 * Reads a model of any format of `docs/formats.md`, by its content: its bytes, or its path (in a browser: its address). In Node a path may be
 * a folder that is one model. The reader of a foreign format is loaded when it is needed. `name` says what bytes are called, for messages
 * and for formats that begin alike. Throws what `readModel` throws, `import/not-found` when there is no such file, and
 * `import/unsupported-operator` with everything that has no form in ONNX.
 *
 * @example
 * const model = await openModel("network.pt2");
 */
export async function openModel(source: string | Uint8Array, options: ReadOptions = {}): Promise<Model> {
  if (source instanceof Uint8Array) return await openBytes(source, options);
  expectArguments("openModel(path)", { path: [source, "text"] });
  const { platform } = await import("#platform");
  return await platform.openModel(source, options);
}
