/** The program of a test page that opens model files of any format and runs them on a provider of choice. */
import { openModel, openRuntime, type SessionOptions, Tensor } from "avocet";

/** A tensor as it crosses between page and test. */
export interface Sent {
  readonly dtype: "float32" | "int64" | "int32" | "bool";
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

export interface OpenerPage {
  /** What a file of any format is: names of inputs and outputs, and operators in their order. */
  describe(
    path: string,
    name: string,
  ): Promise<{
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly operators: readonly string[];
  }>;
  /** Outputs of a file of any format on these inputs, or what the runtime says against it. */
  run(
    path: string,
    name: string,
    feeds: Readonly<Record<string, Sent>>,
    provider: "wasm" | "webgpu",
    options?: SessionOptions,
  ): Promise<{ readonly outputs: Readonly<Record<string, Sent>> } | { readonly refused: string }>;
}

const engine = { wasmPaths: "/engine/", threads: 1 };
const bytesOf = async (path: string) => new Uint8Array(await (await fetch(path)).arrayBuffer());

const page: OpenerPage = {
  async describe(path, name) {
    const { graph } = await openModel(await bytesOf(path), { name });
    return {
      inputs: graph.inputs.map((value) => value.name),
      outputs: graph.outputs.map((value) => value.name),
      operators: [...graph.nodes].map(({ op }) => op),
    };
  },
  async run(path, name, feeds, provider, options = {}) {
    try {
      const runtime = await openRuntime("ort-web", { ...engine, providers: [provider] });
      const bytes = await bytesOf(path);
      await using session = await runtime.open(
        name.endsWith(".onnx") ? bytes : await openModel(bytes, { name }),
        options,
      );
      const given = Object.entries(feeds).map(([input, sent]) => [input, tensorOf(sent)] as const);
      const found = await session.run(Object.fromEntries(given));
      const outputs = Object.entries(found).map(([output, tensor]) => [output, sentOf(tensor)] as const);
      return { outputs: Object.fromEntries(outputs) };
    } catch (error) {
      return { refused: error instanceof Error ? error.message : String(error) };
    }
  },
};

function tensorOf({ dtype, shape, numbers }: Sent): Tensor {
  if (dtype === "int64") return Tensor.int64(shape, numbers);
  if (dtype === "float32") return Tensor.float32(shape, numbers);
  return Tensor.of(dtype, shape, dtype === "bool" ? Uint8Array.from(numbers) : Int32Array.from(numbers));
}

function sentOf(tensor: Tensor): Sent {
  return { dtype: tensor.dtype as Sent["dtype"], shape: tensor.shape, numbers: tensor.numbers() };
}

// `opener` is a name of the DOM.
Object.assign(globalThis, { opener_: page });
