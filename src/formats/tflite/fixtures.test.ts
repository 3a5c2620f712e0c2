/** Real TFLite networks: the outputs of TensorFlow Lite, and the accuracy that their makers measured. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { check } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openModel } from "../inner-node.ts";

interface Recorded {
  readonly file: string;
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data: string;
    readonly step?: number;
  }[];
}

/** Made by tools/tflite_fixture_goldens.py. */
const golden = join(import.meta.dirname, "golden/fixtures.json.gz");
const recorded = JSON.parse(gunzipSync(readFileSync(golden)).toString()) as readonly Recorded[];

/** The same numbers as in the maker: whole ones divided once. */
function made(shape: readonly number[], k: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return Tensor.float32(
    shape,
    Array.from({ length: size }, (_, i) => (((i + k) * 7919) % 2001) / 1000 - 1),
  );
}

describe.each(recorded)("$file", ({ file, inputs, outputs }) => {
  test.skipIf(missing(file))("has TensorFlow Lite's outputs", async () => {
    const model = await openModel(fixture(file));
    check(model);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    const y = await session.run(Object.fromEntries(inputs.map(({ name, shape }, k) => [name, made(shape, k)])));
    for (const { name, shape, data, step } of outputs) {
      const expected = Tensor.fromBytes("float32", shape, new Uint8Array(Buffer.from(data, "base64"))).floats();
      expect(y[name]!.shape).toEqual(shape);
      const numbers = y[name]!.floats();
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      // float32 sums in another order. The "float" keyword network has weights of int8, next to which TensorFlow Lite quantizes
      // activations as it goes; here they stay float.
      const differences = Array.from(expected, (x, i) => Math.abs(numbers[i]! - x));
      const most = step ? 2 * step : file.includes("kws_ref_model_float32") ? 2e-2 : 1e-5 * largest;
      expect(Math.max(...differences)).toBeLessThanOrEqual(most);
      // Fixed-point multipliers round some halves the other way, layer after layer: one step most often.
      if (step) expect(differences.filter((x) => x > 1.5 * step).length).toBeLessThanOrEqual(differences.length / 10);
    }
  });
});

const pitch = ["basic-pitch/nmp.tflite", "basic-pitch/vocadito_10_windows_6x43844x1.f32"];
test.skipIf(missing(...pitch))("basic-pitch has the outputs of its own ONNX file", async () => {
  const runtime = await openRuntime();
  await using session = await runtime.open(await openModel(fixture(pitch[0]!)));
  const samples = floatsOf(pitch[1]!).subarray(0, 43844);
  const y = await session.run({ "serving_default_input_2:0": Tensor.float32([1, 43844, 1], samples) });
  const parts = {
    contour: "StatefulPartitionedCall:0",
    note: "StatefulPartitionedCall:1",
    onset: "StatefulPartitionedCall:2",
  };
  for (const [part, name] of Object.entries(parts)) {
    const numbers = y[name]!.floats();
    const expected = floatsOf(`basic-pitch/ref_${part}_6x172x${part === "contour" ? 264 : 88}.f32`);
    // Probabilities; the log of small energies before them amplifies the order of float32 sums.
    for (const [i, x] of numbers.entries()) expect(Math.abs(x - expected[i]!)).toBeLessThan(1e-4);
  }
});

const kws = ["mlperf-tiny-kws/kws_ref_model.tflite", "mlperf-tiny-kws/kws01_x.bin", "mlperf-tiny-kws/kws01_y.u8"];
test.skipIf(missing(...kws))(
  "the int8 keyword network is right as often as under TensorFlow Lite: 90.2 % of 1,000",
  async () => {
    const features = new Int8Array(readFileSync(fixture(kws[1]!)));
    const labels = readFileSync(fixture(kws[2]!));
    const x = (i: number) => {
      const q = features.subarray(i * 490, (i + 1) * 490);
      return Tensor.float32(
        [1, 49, 10, 1],
        Float32Array.from(q, (v) => (v - 83) * 0.5847029089927673),
      );
    };
    const right = await correct(kws[0]!, 1000, (i) => ({ input_1: x(i) }), labels);
    // Read and TensorFlow Lite's own 902; sums that fall on a half may round the other way.
    expect(Math.abs(right - 902)).toBeLessThanOrEqual(3);
  },
);

const mnist = ["mnist/trained_lstm_int8.tflite", "mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"];
test.skipIf(missing(...mnist))("the int8 LSTM reads digits as under TensorFlow Lite: 98.49 % of 10,000", async () => {
  const pixels = gunzipSync(readFileSync(fixture(mnist[1]!))).subarray(16);
  const labels = gunzipSync(readFileSync(fixture(mnist[2]!))).subarray(8);
  const x = (i: number) =>
    Tensor.float32(
      [1, 28, 28],
      Float32Array.from(pixels.subarray(i * 784, (i + 1) * 784), (v) => v / 255),
    );
  const right = await correct(mnist[0]!, 10_000, (i) => ({ "serving_default_fixed_input:0": x(i) }), labels);
  // The state between steps is float here and int8 there.
  expect(Math.abs(right / 100 - 98.49)).toBeLessThan(0.1);
});

async function correct(
  file: string,
  count: number,
  feeds: (i: number) => Record<string, Tensor>,
  labels: Uint8Array,
): Promise<number> {
  const runtime = await openRuntime();
  await using session = await runtime.open(await openModel(fixture(file)));
  let right = 0;
  for (let i = 0; i < count; i++) {
    const [scores] = Object.values(await session.run(feeds(i)));
    const numbers = scores!.numbers();
    if (numbers.indexOf(Math.max(...numbers)) === labels[i]) right++;
  }
  return right;
}

function floatsOf(name: string): Float32Array {
  const bytes = new Uint8Array(readFileSync(fixture(name)));
  return new Float32Array(bytes.buffer, 0, bytes.length / 4);
}
