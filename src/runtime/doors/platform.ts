/**
 * What differs between Node and a browser. `#platform` in package.json names the file that answers, so that a bundle for
 * a browser never holds the other: `platform-node.ts` where the condition "node" holds, else `platform-web.ts`.
 */
import type { ReadOptions } from "../../formats/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Spill } from "../cursor/activations.ts";
import type { Runtime, RuntimeName, RuntimeOptions } from "../runtime.ts";
import type { Ort } from "./ort-session.ts";

/** The part of ONNX Runtime Web that the door uses. */
export type OrtWeb = Ort & {
  readonly env: { readonly wasm: { numThreads?: number | undefined; wasmPaths?: unknown } };
};

export interface Platform {
  /** What is opened when nobody names a runtime. */
  readonly runtime: RuntimeName;
  /** ONNX Runtime's native build. Throws `runtime/missing` where there is none. */
  ortNode(options: RuntimeOptions): Promise<Runtime>;
  /** The build of ONNX Runtime Web that has these providers. Throws `runtime/missing`. */
  ortWeb(providers: readonly string[]): Promise<OrtWeb>;
  /** The providers of ONNX Runtime Web that work here. */
  webProviders(): Promise<readonly string[]>;
  /** Threads of ONNX Runtime Web when nobody says, or undefined for its own choice. */
  readonly webThreads: number | undefined;
  /** The bytes of a model file with all its data inside: a path in Node, an address in a browser. */
  modelBytes(path: string): Promise<Uint8Array>;
  /** The model of a file of any format: a path in Node, an address in a browser. */
  openModel(path: string, options: ReadOptions): Promise<Model>;
  /** Where activations go past the memory budget; undefined where there is no disk. */
  readonly openSpill: (() => Promise<Spill>) | undefined;
}
