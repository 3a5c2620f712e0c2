/** The door to ONNX Runtime Web: WebAssembly in Node; WebAssembly, WebGPU and WebNN in a browser. */
import { AvocetError, debug } from "../../base/inner.ts";
import { writeModel } from "../../formats/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Runtime, RuntimeOptions, Session, SessionOptions } from "../runtime.ts";
import { openSession, quieten, sessionSettings } from "./ort-session.ts";
import type { OrtWeb, Platform } from "./platform.ts";

/**
 * ONNX Runtime Web on this platform. The first session fixes the threads, which all sessions share. Throws
 * `runtime/missing` when the package, or a provider, is not there.
 */
export async function ortWeb(platform: Platform, defaults: RuntimeOptions = {}): Promise<Runtime> {
  const { versions } = (await engine(platform, defaults)).env;
  return {
    name: "ort-web",
    version: versions.web ?? versions.common,
    providers: await platform.webProviders(),
    open: (model, options = {}) => open(platform, model, { ...defaults, ...options }),
  };
}

async function open(
  platform: Platform,
  model: Model | string | Uint8Array,
  options: SessionOptions & RuntimeOptions,
): Promise<Session> {
  const { providers = ["wasm"], optimizedModelPath, profilePath, threads = platform.webThreads } = options;
  const asked = optimizedModelPath ?? profilePath;
  if (asked !== undefined) {
    throw new AvocetError("usage/bad-value", "expected no path for what the engine writes, ort-web sees no disk", {
      at: asked,
      hint: "ort-node writes it",
    });
  }
  const ort = await engine(platform, options);
  shareThreads(ort, threads);
  const settings = sessionSettings(options, providers);
  if (typeof model === "string") return openSession(ort, await platform.modelBytes(model), settings, model);
  if (model instanceof Uint8Array) return openSession(ort, model, settings, undefined);
  return openSession(ort, writeModel(model), settings, model.source);
}

async function engine(platform: Platform, options: RuntimeOptions): Promise<OrtWeb> {
  const ort = await platform.ortWeb(options.providers ?? ["wasm"]);
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths;
  quieten(ort);
  return ort;
}

/** The engine starts its threads once; until then the number is undefined, afterwards a wish comes too late. */
function shareThreads(ort: OrtWeb, threads: number | undefined): void {
  const { wasm } = ort.env;
  if (threads === undefined) return;
  if (wasm.numThreads === undefined) wasm.numThreads = threads;
  else if (wasm.numThreads !== threads) debug(1, () => `ort-web keeps its ${wasm.numThreads} threads, not ${threads}`);
}
