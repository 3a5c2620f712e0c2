/** Opens a runtime by name. The doors are loaded when they are asked for: importing the package loads no runtime. */
import { AvocetError } from "../../base/inner.ts";
import type { Runtime, RuntimeName, RuntimeOptions } from "../runtime.ts";

/**
 * Throws `runtime/missing` with what to install. Default: ort-node in Node, ort-web in a browser. `options` hold for
 * every session that does not say otherwise.
 */
export async function openRuntime(name?: RuntimeName, options: RuntimeOptions = {}): Promise<Runtime> {
  const { platform } = await import("#platform");
  const wanted = name ?? platform.runtime;
  switch (wanted) {
    case "ort-node":
      return platform.ortNode(options);
    case "ort-web":
      return (await import("./ort-web.ts")).ortWeb(platform, options);
    default:
      throw new AvocetError("usage/bad-value", `expected a runtime, got ${JSON.stringify(wanted satisfies never)}`, {
        at: "openRuntime(name)",
        hint: "ort-node or ort-web",
      });
  }
}
