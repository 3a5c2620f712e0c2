/** The platform Node: both doors, and a disk. Everything is loaded when it is asked for. */
import type { Platform } from "./platform.ts";

export const platform: Platform = {
  runtime: "ort-node",
  ortNode: async (options) => (await import("./ort-node.ts")).ortNode(options),
  ortWeb: async (providers) => (await import("./ort-web-node.ts")).ortWebInNode(providers),
  webProviders: async () => ["wasm"],
  // Measured: two wasm threads in Node took 0.6 to 6 times as long as one, from run to run.
  webThreads: 1,
  modelBytes: async (path) => (await import("./model-bytes-node.ts")).modelBytes(path),
  openModel: async (path, options) => (await import("../../formats/inner-node.ts")).openModel(path, options),
  openSpill: async () => (await import("../cursor/spill-node.ts")).openSpill(),
};
