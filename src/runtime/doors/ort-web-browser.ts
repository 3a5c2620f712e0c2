/** Loads ONNX Runtime Web in a browser or a worker: the small WebAssembly build, or the one with WebGPU and WebNN. */
import { AvocetError } from "../../base/inner.ts";
import { providerMissing, webMissing } from "./ort-failure.ts";
import type { OrtWeb } from "./platform.ts";

const small = ["wasm", "cpu"];
const providersHere = [...small, "webgpu", "webnn"];

/** Throws `runtime/missing` for the package, and for providers that this browser does not have. */
export async function ortWebInBrowser(providers: readonly string[]): Promise<OrtWeb> {
  const absent = providers.find((name) => !providersHere.includes(name));
  if (absent !== undefined) throw providerMissing(absent, "ort-web in a browser", providersHere);
  if (providers.includes("webgpu")) await expectWebGpu();
  const isSmall = providers.every((name) => small.includes(name));
  try {
    return (isSmall ? await import("onnxruntime-web/wasm") : await import("onnxruntime-web/webgpu")) as OrtWeb;
  } catch (cause) {
    throw webMissing(cause);
  }
}

/** What this browser can run: WebGPU counts where it hands out an adapter. */
export async function providersOfBrowser(): Promise<string[]> {
  const { gpu, ml } = globalThis.navigator as Accelerators;
  return ["wasm", ...((await gpu?.requestAdapter()) ? ["webgpu"] : []), ...(ml ? ["webnn"] : [])];
}

interface Accelerators {
  readonly gpu?: { requestAdapter(): Promise<object | null> };
  readonly ml?: object;
}

async function expectWebGpu(): Promise<void> {
  const { gpu } = globalThis.navigator as Accelerators;
  if (await gpu?.requestAdapter()) return;
  const got = gpu ? "no graphics adapter" : "a page without navigator.gpu";
  throw new AvocetError("runtime/missing", `expected a browser with WebGPU, got ${got}`, {
    hint: 'WebGPU needs https or localhost and a recent browser; the provider "wasm" runs everywhere',
  });
}
