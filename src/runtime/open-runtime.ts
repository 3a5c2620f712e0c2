/** Opens a runtime by name. The doors are loaded when they are asked for: importing the package loads no runtime. */
import { AvocetError } from "../base/index.ts";
import type { Runtime, RuntimeName } from "./runtime.ts";

/** Throws `runtime/missing` with what to install. Default: ONNX Runtime in Node. */
export async function openRuntime(name: RuntimeName = "ort-node"): Promise<Runtime> {
  switch (name) {
    case "ort-node":
      return (await import("./ort-node.ts")).ortNode();
    case "ort-web":
      throw new AvocetError("runtime/missing", "expected a runtime that Avocet has a door to, got ort-web", {
        hint: "use ort-node",
      });
    default:
      return name satisfies never;
  }
}
