/** The program of the test page: what a tab can do with bytes, as functions that the test calls from outside. */
import { openRuntime, type Verification } from "avocet";
import { type QuantizedPictures, quantizePictures, scorePictures, verifyPictures } from "./pictures.ts";

export interface Page {
  readonly isolated: boolean;
  quantize(model: string, count: number): Promise<Omit<QuantizedPictures, "bytes">>;
  /** Scores of what `quantize` wrote. */
  score(provider: "wasm" | "webgpu", count: number): Promise<number[][]>;
  /** What `verify` finds of what `quantize` wrote, next to the float model. */
  verify(provider: "wasm" | "webgpu", count: number): Promise<Verification>;
  /** What `quantize` wrote. */
  shipped(): number[];
  /** What the runtime says that it has here. */
  providers(): Promise<readonly string[]>;
  /** The error of a runtime that a browser does not have. */
  refusal(): Promise<{ readonly code: string; readonly message: string }>;
}

// Two threads, which need memory that is shared, which needs the isolation that the server declares.
const engine = { wasmPaths: "/engine/", threads: 2 };
let float = new Uint8Array();
let shipped = new Uint8Array();

const page: Page = {
  isolated: globalThis.crossOriginIsolated,
  async quantize(model, count) {
    const runtime = await openRuntime("ort-web", engine);
    const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer());
    float = bytes;
    const result = await quantizePictures(runtime, bytes, count);
    shipped = new Uint8Array(result.bytes);
    return { encodings: result.encodings, seconds: result.seconds };
  },
  async score(provider, count) {
    const runtime = await openRuntime("ort-web", { ...engine, providers: [provider] });
    return scorePictures(runtime, shipped, count);
  },
  async verify(provider, count) {
    const runtime = await openRuntime("ort-web", { ...engine, providers: [provider] });
    return verifyPictures(runtime, float, shipped, count);
  },
  shipped: () => [...shipped],
  // No name: a browser has one runtime only.
  providers: async () => (await openRuntime(undefined, engine)).providers,
  async refusal() {
    return openRuntime("ort-node").then(
      () => ({ code: "none", message: "it opened" }),
      (error) => ({ code: error.code, message: error.message }),
    );
  },
};
Object.assign(globalThis, { page });
