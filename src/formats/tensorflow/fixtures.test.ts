/** Real models of TensorFlow, in ONNX Runtime, against what TensorFlow answered (tools/tensorflow_fixture_goldens.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { openData } from "../../data/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../../tensor/inner.ts";
import { openModel } from "../inner-node.ts";

interface Sampled {
  readonly shape: readonly number[];
  readonly step: number;
  readonly largest: number;
  readonly values: readonly number[];
  readonly classes?: readonly number[];
}

interface Golden {
  readonly outputs: Readonly<Record<string, Sampled>>;
  readonly images?: readonly number[];
  readonly right?: number;
  readonly frames?: readonly Sampled[];
  readonly formula?: { readonly shape: readonly number[]; readonly scale: number; readonly shift: number };
}

const goldens: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL("golden/fixtures.json", import.meta.url), "utf8"),
);

/** By the folder or the file, as every command opens it. */
const read = async (name: string): Promise<Model> => await openModel(fixture(name));

/** 1e-4 of the output's largest number: sums of float32 in another order, through up to eighty layers. */
function expectSame(y: Tensor, golden: Sampled, tolerance = 1e-4): void {
  expect(y.shape).toEqual(golden.shape);
  const numbers = y.numbers();
  golden.values.forEach((value, i) => {
    expect(Math.abs(numbers[i * golden.step]! - value), `element ${i * golden.step}`).toBeLessThanOrEqual(
      tolerance * golden.largest,
    );
  });
}

async function outputsOf(model: Model, feeds: Feeds): Promise<Feeds> {
  const runtime = await openRuntime();
  await using session = await runtime.open(model);
  return await session.run(feeds);
}

function floats(name: string, shape: readonly number[]): Tensor {
  const bytes = readFileSync(fixture(name));
  return Tensor.float32(shape, new Float32Array(new Uint8Array(bytes).buffer, 0, sizeOf(shape)));
}

const golden = (name: string): Golden => goldens[name]!;

test.skipIf(missing("mobilenetv1-025-imagenet/saved_model", "imagenet1k-sample/index.json"))(
  "MobileNetV1 of Keras 3",
  async () => {
    const name = "mobilenetv1-025-imagenet/saved_model";
    const { images, outputs } = golden(name);
    const model = await read(name);
    const port = { name: "keras_tensor", dtype: "float32", shape: ["batch", 224, 224, 3] };
    const preprocess = { scale: "1/127.5", mean: 1, layout: "nhwc" as const };
    const all = await openData(fixture("imagenet1k-sample/index.json"), { inputs: [port], preprocess });
    const answers: Tensor[] = [];
    for await (const { first, feeds } of all.batches(1)) {
      if (images!.includes(first)) answers.push((await outputsOf(model, feeds)).output_0!);
      if (answers.length === images!.length) break;
    }
    const joined = Tensor.float32(
      outputs.output_0!.shape,
      answers.flatMap((tensor) => tensor.numbers()),
    );
    expectSame(joined, outputs.output_0!);
    expect(answers.map((scores) => scores.numbers().indexOf(Math.max(...scores.numbers())))).toEqual(
      outputs.output_0!.classes,
    );
  },
  60_000,
);

describe("keyword spotting", () => {
  test.skipIf(missing("mlperf-tiny-kws/kws_ref_model"))("the same answers and the same score", async () => {
    const { outputs, right } = golden("mlperf-tiny-kws/kws_ref_model");
    const raw = new Int8Array(new Uint8Array(readFileSync(fixture("mlperf-tiny-kws/kws01_x.bin"))).buffer);
    const labels = readFileSync(fixture("mlperf-tiny-kws/kws01_y.u8"));
    const x = Tensor.float32(
      [1000, 49, 10, 1],
      Float32Array.from(raw, (q) => Math.fround(q - 83) * Math.fround(0.5847029089927673)),
    );
    const { dense } = await outputsOf(await read("mlperf-tiny-kws/kws_ref_model"), { input_1: x });
    const scores = dense!.floats();
    expectSame(Tensor.float32([32, 12], scores.slice(0, 32 * 12)), outputs.dense!);
    const best = Array.from(labels, (_, i) => {
      const row = scores.subarray(i * 12, i * 12 + 12);
      return row.indexOf(Math.max(...row));
    });
    expect(best.filter((one, i) => one === labels[i])).toHaveLength(right!);
  });
});

describe("basic-pitch", () => {
  for (const name of ["basic-pitch/nmp", "basic-pitch/tfjs/model.json"])
    test.skipIf(missing(name))(name, async () => {
      const model = await read(name);
      const x = floats("basic-pitch/vocadito_10_windows_6x43844x1.f32", [2, 43844, 1]);
      const made = await outputsOf(model, { input_2: x });
      // The logarithm of a power spectrum, normalised: what is near silence moves more.
      for (const [output, expected] of Object.entries(golden(name).outputs)) expectSame(made[output]!, expected, 3e-4);
    });
});

test.skipIf(missing("dtln-speech-enhancement/dtln_saved_model", "dns3-speech-pairs"))(
  "DTLN's states go out and come in again",
  async () => {
    const { frames } = golden("dtln-speech-enhancement/dtln_saved_model");
    const model = await read("dtln-speech-enhancement/dtln_saved_model");
    const wav = new Uint8Array(readFileSync(fixture("dns3-speech-pairs/DNS3_test_set__0015_noisy.wav")));
    // 44 bytes of header, then 16-bit samples.
    const speech = new Int16Array(wav.slice(44).buffer);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    const states = model.graph.inputs.slice(1).map((input) => input.name);
    expect(states).toHaveLength(8);
    expect(Array.from(model.graph.nodes).filter((node) => node.op === "LSTM")).toHaveLength(4);
    let before: Feeds = Object.fromEntries(
      states.map((name) => [name, Tensor.float32([1, 128], new Float32Array(128))]),
    );
    for (const [i, expected] of frames!.entries()) {
      const start = 16000 + 128 * i;
      const frame = Float32Array.from(speech.subarray(start, start + 512), (v) => v / 32768);
      const made = await session.run({ input_1: Tensor.float32([1, 512], frame), ...before });
      expectSame(made.conv1d_1!, expected);
      before = Object.fromEntries(states.map((name) => [name, made[`${name}_next`]!]));
    }
  },
);

/** The same bytes as in the maker: a linear congruence. */
function formula({ shape, scale, shift }: NonNullable<Golden["formula"]>): Tensor {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const byte = Number(((BigInt(i) * 1103515245n + 12345n) >> 7n) % 256n);
    return Math.fround(Math.fround(byte * scale) + shift);
  });
  return Tensor.float32(shape, data);
}

describe("TensorFlow.js graph models", () => {
  for (const [name, { formula: input, outputs }] of Object.entries(goldens)) {
    if (!input) continue;
    test.skipIf(missing(name))(name, async () => {
      const model = await read(name);
      const made = await outputsOf(model, { [model.graph.inputs[0]!.name]: formula(input) });
      for (const [output, expected] of Object.entries(outputs)) expectSame(made[output]!, expected);
    });
  }
});
