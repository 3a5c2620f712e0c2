/** What the doors to ONNX Runtime share: opening a session over its JavaScript API, its settings, tensors both ways. */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { AvocetError, debug, debugLevel, invariant, watched } from "../../base/inner.ts";
import { type DType, type Feeds, Tensor, type TensorData } from "../../tensor/inner.ts";
import { cannotCross, checkFeeds, crosses, inTypesOf } from "../crossing.ts";
import type { PortInfo, Session, SessionOptions } from "../runtime.ts";
import { loadFailure, runFailure } from "./ort-failure.ts";

/** What onnxruntime-node and onnxruntime-web have in common: the API of onnxruntime-common. */
export type Ort = Pick<typeof import("onnxruntime-node"), "InferenceSession" | "Tensor" | "env">;
export type OrtSettings = InferenceSession.SessionOptions;

/** Messages of the runtime come back in errors; on stderr they would only be noise, unless someone is debugging. */
export function quieten(ort: Ort): void {
  ort.env.logLevel = debugLevel() >= 2 ? "warning" : "fatal";
}

const levels = { off: "disabled", basic: "basic", full: "all" } as const;

/** The settings that both doors take alike; `providers` come after the door has looked at them. */
export function sessionSettings(options: SessionOptions, providers: readonly string[] | undefined): OrtSettings {
  const { optimization = "full", fuseQdq = true, exactProducts = false } = options;
  const session = {
    ...(fuseQdq ? {} : { disable_quant_qdq: "1" }),
    ...(exactProducts ? { qdq_matmulnbits_accuracy_level: "1" } : {}),
  };
  return {
    graphOptimizationLevel: levels[optimization],
    logSeverityLevel: debugLevel() >= 2 ? 2 : 4,
    ...(Object.keys(session).length > 0 ? { extra: { session } } : {}),
    ...(providers === undefined ? {} : { executionProviders: providers }),
  };
}

/** A session on bytes or on a path. `source` names the model in errors. Throws what `loadFailure` makes. */
export async function openSession(
  ort: Ort,
  file: Uint8Array | string,
  settings: OrtSettings,
  source: string | undefined,
): Promise<Session> {
  const start = performance.now();
  try {
    // The two overloads of create do not accept a union.
    const session = await watched(
      () => ({ what: "loading", at: source ?? anonymous }),
      () =>
        typeof file === "string"
          ? ort.InferenceSession.create(file, settings)
          : ort.InferenceSession.create(file, settings),
    );
    debug(3, () => `opened ${source ?? "a model"} in ${(performance.now() - start).toFixed(1)} ms`);
    return new OrtSession(ort, session, source, settings.enableProfiling === true);
  } catch (cause) {
    throw loadFailure(cause, source);
  }
}

const anonymous = "a graph made on the way";

class OrtSession implements Session {
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  readonly #ort: Ort;
  readonly #source: string | undefined;
  readonly #profiled: boolean;
  #session: InferenceSession | null;

  constructor(ort: Ort, session: InferenceSession, source: string | undefined, profiled: boolean) {
    this.#ort = ort;
    this.#profiled = profiled;
    this.#session = session;
    this.#source = source;
    this.inputs = session.inputMetadata.map(portOf);
    this.outputs = session.outputMetadata.map(portOf);
  }

  async run(feeds: Feeds, want?: readonly string[]): Promise<Feeds> {
    const session = this.#session;
    invariant(session, "a session was run after it was disposed");
    const fitted = inTypesOf(this.inputs, feeds);
    checkFeeds(this.inputs, fitted, this.#source);
    const wanted = want ?? this.outputs.map((output) => output.name);
    for (const name of wanted) this.#checkWanted(name);
    const given: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(fitted)) given[name] = toOrt(this.#ort, tensor);
    const start = performance.now();
    let fetched: InferenceSession.OnnxValueMapType;
    try {
      fetched = await watched(
        () => ({ what: "running", at: this.#source ?? anonymous }),
        () => session.run(given, [...wanted]),
      );
    } catch (cause) {
      throw runFailure(cause, this.#source);
    }
    debug(4, () => `ran ${this.#source ?? "a model"} in ${(performance.now() - start).toFixed(1)} ms`);
    const results: Record<string, Tensor> = {};
    for (const name of wanted) results[name] = fromOrt(fetched[name]!);
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = null;
    if (this.#profiled) session?.endProfiling();
    await session?.release();
  }

  /** An output of int4 would abort the whole process inside the runtime, so it never gets that far. */
  #checkWanted(name: string): void {
    const output = this.outputs.find((port) => port.name === name);
    if (!output) {
      const names = this.outputs.map((port) => port.name).join(", ");
      throw new AvocetError("graph/not-found", `expected an output of the model (${names}), got ${name}`, {
        ...(this.#source === undefined ? {} : { at: this.#source }),
      });
    }
    if (output.dtype === null) throw cannotCross(name, "a sequence or an optional value");
    if (!crosses(output.dtype)) throw cannotCross(name, output.dtype);
  }
}

/** −1 as the 32-bit number that WebAssembly makes of it. */
const minusOne = 2 ** 32 - 1;

/**
 * ONNX Runtime says [] for scalars and for unknown ranks alike; a length without a name is "" in the native build and −1
 * in the one for the web.
 */
function portOf(port: InferenceSession.ValueMetadata): PortInfo {
  if (!port.isTensor) return { name: port.name, dtype: null, shape: null };
  return {
    name: port.name,
    dtype: port.type as DType,
    shape: port.shape.length === 0 ? null : port.shape.map((dim) => (dim === "" || dim === minusOne ? null : dim)),
  };
}

function toOrt(ort: Ort, tensor: Tensor): OrtTensor {
  const { dtype, shape } = tensor;
  const make = ort.Tensor as unknown as new (type: string, data: TensorData, dims: readonly number[]) => OrtTensor;
  return new make(dtype, tensor.data, shape);
}

function fromOrt(tensor: OrtTensor): Tensor {
  const dtype = tensor.type as DType;
  const data = tensor.data as TensorData | { buffer: ArrayBufferLike; byteOffset: number; length: number };
  // Newer engines have a Float16Array, which the host form does not use: the same bytes as bit patterns.
  const isHalf = dtype === "float16" && !(data instanceof Uint16Array) && "buffer" in data;
  return Tensor.of(
    dtype,
    tensor.dims,
    isHalf ? new Uint16Array(data.buffer, data.byteOffset, data.length) : (data as TensorData),
  );
}
