/** Layers models of TensorFlow.js: Keras 2 models with their weights in files, and a real MobileNet. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { kerasCases } from "../../../test/keras-cases.ts";
import { AvocetError, Random } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { readHdf5 } from "../hdf5/read.ts";
import { namedWeights } from "../keras/weights.ts";
import type { SourceFile } from "../source-format.ts";
import { read } from "./layers.ts";

/** The same model as TensorFlow.js has it: weights one after the other, cut into files anywhere. */
function tfjsOf(bytes: Uint8Array): { json: Record<string, unknown>; files: Map<string, Uint8Array> } {
  const root = readHdf5(bytes, "m.h5");
  const groups = root.get("model_weights")!;
  const weights = groups.names.flatMap((name) => [...namedWeights(groups.get(name)!, "m.h5")]);
  const data = new Uint8Array(Buffer.concat(weights.map(([, tensor]) => tensor.bytes)));
  const cut = Math.floor(data.length / 3);
  const files = new Map([
    ["a.bin", data.subarray(0, cut)],
    ["b.bin", data.subarray(cut)],
  ]);
  const specs = weights.map(([name, { shape, dtype }]) => ({ name: name.replace(/:0$/, ""), shape, dtype }));
  const text = root.texts();
  return {
    json: {
      format: "layers-model",
      modelTopology: { keras_version: "2.21.0", model_config: JSON.parse(text.get("model_config")![0]!) },
      weightsManifest: [{ paths: [...files.keys()], weights: specs }],
    },
    files,
  };
}

function sourceOf(json: unknown, files: ReadonlyMap<string, Uint8Array>): SourceFile {
  const external = (location: string) => {
    const bytes = files.get(location);
    if (!bytes) throw new AvocetError("import/not-found", `expected ${location}`, { at: "model.json" });
    return bytesSource(location, bytes);
  };
  return { name: "model.json", bytes: new TextEncoder().encode(JSON.stringify(json)), external };
}

const cases = kerasCases.filter(({ name }) => name.endsWith("(keras2.h5)"));

describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, { bytes, inputs, outputs }) => {
  test("has Keras' outputs", async () => {
    const { json, files } = tfjsOf(bytes);
    const model = read(sourceOf(json, files));
    check(model);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    const made = await session.run(Object.fromEntries(model.graph.inputs.map(({ name }, i) => [name, inputs[i]!])));
    for (const [i, { name }] of model.graph.outputs.entries()) {
      const [y, expected] = [made[name]!.numbers(), outputs[i]!.floats()];
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      // Sums of up to some hundred float32 products in another order.
      for (const [at, x] of expected.entries()) expect(Math.abs(x - y[at]!)).toBeLessThan(1e-5 * largest);
    }
  });
});

const folder = "mobilenetv1-025-imagenet/tfjs/model.json";
test.skipIf(missing(folder))("MobileNet has the outputs of Keras", async () => {
  const golden = readFileSync(join(import.meta.dirname, "../keras/golden/mobilenet.json"), "utf8");
  const { data } = JSON.parse(golden) as { data: string };
  const expected = Tensor.fromBytes("float32", [1, 1000], new Uint8Array(Buffer.from(data, "base64"))).floats();
  const path = fixture(folder);
  const external = (name: string) => bytesSource(name, new Uint8Array(readFileSync(join(dirname(path), name))));
  const runtime = await openRuntime();
  await using session = await runtime.open(read({ name: path, bytes: new Uint8Array(readFileSync(path)), external }));
  const x = Float32Array.from({ length: 224 * 224 * 3 }, (_, i) => ((i * 7919) % 2001) / 1000 - 1);
  const { predictions } = await session.run({ input_2: Tensor.float32([1, 224, 224, 3], x) });
  const y = predictions!.floats();
  // 1e-4 of the largest probability: 27 layers of float32 sums in another order.
  for (const [i, p] of expected.entries()) expect(Math.abs(y[i]! - p)).toBeLessThan(1e-4 * Math.max(...expected));
});

test("1,000 damaged model.json files are refused or read", () => {
  const random = new Random(3);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 1000; i++) {
    const { json, files } = tfjsOf(cases[i % cases.length]!.bytes);
    const source = sourceOf(json, files);
    const bytes = source.bytes.slice();
    for (let flips = 1 + random.integer(2); flips > 0; flips--) {
      bytes[random.integer(bytes.length)] = 0x20 + random.integer(0x5f);
    }
    let outcome = "read";
    try {
      check(read({ ...source, bytes }));
    } catch (error) {
      if (!AvocetError.is(error)) throw error;
      expect(error.code).toMatch(/^import\//);
      expect(error.detail.at).toContain("model.json");
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of ["read", "import/malformed"]) expect(outcomes.get(outcome)).toBeGreaterThan(100);
});
