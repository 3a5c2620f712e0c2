/** Files of other formats, from bytes, inside a real browser tab: they are what Node reads, and compute what their own framework computed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { openModel } from "../src/index.ts";
import { type DType, Tensor } from "../src/tensor/inner.ts";
import { openOpener, type Sent } from "./browser/opener.ts";
import { kerasCases } from "./keras-cases.ts";
import { root } from "./source-files.ts";

interface FormatCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

const golden = (path: string) => readFileSync(join(root, "src/formats", path));
const unzipped = (path: string) => JSON.parse(gunzipSync(golden(path)).toString());

function cases(): Record<string, FormatCase> {
  const keras = (ending: string) =>
    kerasCases.find(({ file, inputs }) => file.endsWith(ending) && inputs.every(isFloat))!;
  const kerasCase = (ending: string) => {
    const { file, bytes, inputs, outputs } = keras(ending);
    return { name: file, bytes, inputs, outputs };
  };
  const tflite = unzipped("tflite/golden/operators.json.gz") as readonly {
    readonly name: string;
    readonly model: string;
    readonly inputs: readonly { readonly dtype: string; readonly shape: number[]; readonly data: string }[];
    readonly outputs: readonly { readonly dtype: string; readonly shape: number[]; readonly data: string }[];
  }[];
  const conv = tflite.find(
    ({ name, inputs }) => /conv/i.test(name) && inputs.every(({ dtype }) => dtype === "float32"),
  )!;
  const packed = ({ dtype, shape, data }: (typeof conv.inputs)[number]) =>
    Tensor.fromBytes(dtype as DType, shape, new Uint8Array(Buffer.from(data, "base64")));
  const [torch] = Object.values(
    unzipped("pytorch/golden/archives.json.gz") as Record<
      string,
      { readonly program: string; readonly input: Numbers; readonly outputs: readonly Numbers[] }
    >,
  );
  return {
    "TensorFlow Lite": {
      name: "m.tflite",
      bytes: new Uint8Array(Buffer.from(conv.model, "base64")),
      inputs: conv.inputs.map(packed),
      outputs: conv.outputs.map(packed),
    },
    "Keras 3": kerasCase(".keras"),
    "Keras in HDF5": kerasCase(".h5"),
    PyTorch: {
      name: "m.pt2",
      bytes: new Uint8Array(Buffer.from(torch!.program, "hex")),
      inputs: [numbersOf(torch!.input)],
      outputs: torch!.outputs.map(numbersOf),
    },
  };
}

interface Numbers {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

const numbersOf = ({ shape, values }: Numbers) => Tensor.float32(shape, values);
const isFloat = ({ dtype }: Tensor) => dtype === "float32";
const sent = (tensor: Tensor): Sent => ({ dtype: "float32", shape: tensor.shape, numbers: tensor.numbers() });

const opener = await openOpener();

describe("in headless Chromium", () => {
  if ("because" in opener) return void test.skip(opener.because, () => {});
  afterAll(() => opener[Symbol.asyncDispose]());

  describe.each(Object.entries(cases()))("%s", (_, { name, bytes, inputs, outputs }) => {
    test("is the model that Node reads, and has the outputs of its framework", async () => {
      const { graph } = await openModel(bytes, { name });
      expect(await opener.describe(bytes, name)).toEqual({
        inputs: graph.inputs.map((value) => value.name),
        outputs: graph.outputs.map((value) => value.name),
        operators: [...graph.nodes].map(({ op }) => op),
      });
      const open = graph.inputs.filter(({ initializer }) => !initializer);
      const feeds = Object.fromEntries(open.map((value, i) => [value.name, sent(inputs[i]!)]));
      const made = await opener.run(bytes, name, feeds, "wasm");
      if ("refused" in made) throw new Error(made.refused);
      for (const [i, { name: output }] of graph.outputs.entries()) {
        const [expected, found] = [outputs[i]!.numbers(), made.outputs[output]!.numbers];
        const largest = Math.max(...expected.map(Math.abs), 1e-3);
        // Sums of up to some hundred float32 products in another order.
        for (const [k, x] of expected.entries()) expect(Math.abs(x - found[k]!)).toBeLessThanOrEqual(1e-5 * largest);
      }
    });
  });

  test("a Llama of GGUF is the model that Node reads", async () => {
    const bytes = new Uint8Array(golden("decoder/golden/llama.gguf"));
    const { graph } = await openModel(bytes, { name: "m.gguf" });
    const there = await opener.describe(bytes, "m.gguf");
    expect(there.operators).toEqual([...graph.nodes].map(({ op }) => op));
  });

  test("a file of weights alone is refused with its name, as in Node", async () => {
    const bytes = new Uint8Array(golden("safetensors/golden/types.safetensors"));
    const here = await openModel(bytes, { name: "m.safetensors" }).catch(({ message }) => message);
    const there = await opener.describe(bytes, "m.safetensors").catch(({ message }) => message);
    expect(there).toContain(here);
  });
});
