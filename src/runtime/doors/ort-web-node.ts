/** Loads ONNX Runtime Web in Node, where it has WebAssembly only and finds its files in its package. */
import { providerMissing, webMissing } from "./ort-failure.ts";
import type { OrtWeb } from "./platform.ts";

const providersHere = ["wasm", "cpu"];

/** Throws `runtime/missing` for the package, and for providers that need a browser. */
export async function ortWebInNode(providers: readonly string[]): Promise<OrtWeb> {
  const absent = providers.find((name) => !providersHere.includes(name));
  if (absent !== undefined) throw providerMissing(absent, "ort-web in Node", providersHere);
  try {
    return (await import("onnxruntime-web")) as OrtWeb;
  } catch (cause) {
    throw webMissing(cause);
  }
}
