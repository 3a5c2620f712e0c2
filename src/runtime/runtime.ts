/** What executes a model. The doors `ort-node` and `ort-web` implement it; nothing else touches ONNX Runtime. */
import type { Model } from "../ir/inner.ts";
import { type DType, dtypes, type Feeds } from "../tensor/inner.ts";

export type RuntimeName = "ort-node" | "ort-web";

export interface SessionOptions {
  /** Graph optimisation: "full" is what users get. Default "full". */
  readonly optimization?: "off" | "basic" | "full";
  /** Whether Q/DQ pairs may become integer kernels. Default true; false is the simulation. */
  readonly fuseQdq?: boolean;
  /**
   * Whether products of float numbers and quantized weights run in float32. Default false, which is what users get: the native
   * build rounds their inputs to int8 in blocks (`session.qdq_matmulnbits_accuracy_level` is 4 there, and becomes 1).
   */
  readonly exactProducts?: boolean;
  /** Threads inside an operator. Default: the runtime's choice. Sessions of ort-web share those of the first one. */
  readonly threads?: number;
  /**
   * Whether memory that a run has used is given back after each operator, not kept for the next run, and what follows from constants is
   * computed right before it is needed (ort-node only). Slower; for models whose single values are large. Default false.
   */
  readonly frugal?: boolean;
  /** Where the runtime writes its optimized graph (ort-node only). */
  readonly optimizedModelPath?: string;
  /**
   * Where the runtime writes how long each operator took, when the session is disposed of: it adds the time of day and ".json"
   * (ort-node only). Runs are slower.
   */
  readonly profilePath?: string;
  /**
   * Execution providers, the preferred one first; what it cannot run goes to the CPU. ort-node: "cpu" (the default) and
   * what its build has; ort-web: "wasm" (the default), and in a browser "webgpu" and "webnn".
   */
  readonly providers?: readonly string[];
}

/**
 * The session in which a file is simulated: quantizers round as the file says, and everything between them is computed in float. Layers
 * that are float in the file run as they do in a stock session, so that integer kernels are all that the two differ in.
 */
export const simulation = { fuseQdq: false } as const satisfies SessionOptions;

/** Beyond this, weights that a simulation makes float once would cost more than making them float in each run. */
const mostFolded = 256e6;

/**
 * How this model is simulated. Optimisation folds quantized weights to float, four times and more of what the file holds; of large models they
 * stay integers, all operators run one by one, and what one weight takes as floats is free for the next.
 */
export function simulationOf(model: Model): SessionOptions {
  let folded = 0;
  for (const { initializer } of model.graph.initializers) {
    const { bits, kind } = initializer ? dtypes[initializer.dtype] : { bits: 64, kind: "string" };
    if (bits <= 8 && (kind === "int" || kind === "uint")) folded += 4 * initializer!.size;
  }
  return folded > mostFolded ? { ...simulation, optimization: "off", frugal: true } : simulation;
}

/** What holds for all sessions of a runtime that do not say otherwise. */
export interface RuntimeOptions extends Pick<SessionOptions, "threads" | "providers"> {
  /** ort-web: the folder of the engine's .wasm and .mjs files, a URL with "/" at its end. Default: next to its script. */
  readonly wasmPaths?: string;
}

export interface PortInfo {
  readonly name: string;
  readonly dtype: DType | null;
  /** Lengths; a string names a dynamic one, null is unknown. */
  readonly shape: readonly (number | string | null)[] | null;
}

/**
 * An opened model. It holds memory of the runtime until it is disposed of: open it with `await using`.
 *
 * @example
 * const runtime = await openRuntime();
 * await using session = await runtime.open("model.onnx");
 * const { y } = await session.run({ x: Tensor.float32([1, 3, 48, 48], pixels) });
 */
export interface Session extends AsyncDisposable {
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /** Runs once; `want` chooses outputs (default all). Throws `runtime/run` with the runtime's own words inside. */
  run(feeds: Feeds, want?: readonly string[]): Promise<Feeds>;
}

export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  /** The execution providers that are here and need nothing more (docs/runtimes.md names the others). */
  readonly providers: readonly string[];
  /** Opens a model, the path of an ONNX file (in a browser: its address), or its bytes. Throws `runtime/load`. */
  open(model: Model | string | Uint8Array, options?: SessionOptions): Promise<Session>;
}
