/** Opens a runtime by name. The doors are loaded when they are asked for: importing the package loads no runtime. */
import type { Runtime, RuntimeName, RuntimeOptions } from "./runtime.ts";

/**
 * Throws `runtime/missing` with what to install. Default: ONNX Runtime in Node. `options` hold for every session that
 * does not say otherwise.
 */
export async function openRuntime(name: RuntimeName = "ort-node", options: RuntimeOptions = {}): Promise<Runtime> {
  const { platform } = await import("#platform");
  switch (name) {
    case "ort-node":
      return platform.ortNode(options);
    case "ort-web":
      return (await import("./ort-web.ts")).ortWeb(platform, options);
    default:
      return name satisfies never;
  }
}
