/** `avocet import` from the command line: encodings and quantized models become plans that quantize takes. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime, simulationOf } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";

const text = `<ir_version: 10, opset_import: ["" : 21]> net (float[N,16] x) => (float[N,8] y)
  <float[16,32] w, float[32] b, float[32,8] v> { [first] m = MatMul(x, w) a = Add(m, b) r = Relu(a) [last] y = MatMul(r, v) }`;

let shop: Workshop;
const x = Tensor.float32(
  [40, 16],
  Float32Array.from(
    { length: 640 },
    (
      (random) => () =>
        random.normal()
    )(new Random(3)),
  ),
);
beforeAll(async () => {
  shop = await workshop();
  shop.npy("x.npy", x);
  await shop.model("net.onnx", parseModel(text, { seed: 4 }));
  const made = await quantize("net.onnx", "made", "--target", "htp-v73");
  expect(made.code, made.err).toBe(0);
});
afterAll(() => shop[Symbol.dispose]());

const quantize = (model: string, name: string, ...rest: string[]) =>
  avocetJson([
    "quantize",
    shop.at(model),
    "-o",
    shop.at(name),
    "--data",
    shop.at("x.npy"),
    "--preset",
    "fast",
    "--quiet",
    ...rest,
  ]);

async function imported(...args: string[]) {
  const run = await avocet(["import", ...args, "--json"]);
  return { ...run, json: JSON.parse(run.out) };
}

async function outputsOf(path: string): Promise<number[]> {
  const model = readModelFile(shop.at(path));
  await using session = await (await openRuntime()).open(model, { ...simulationOf(model), threads: 1 });
  return (await session.run({ x })).y!.numbers();
}

test.each(["0.6.1", "1.0.0", "2.0.0", "2.1.0"])(
  "encodings %s and their float model are the quantized model",
  async (version) => {
    const file = shop.at(`${version}.encodings`);
    const exported = await avocet(["export", shop.at("made"), "-o", file, "--format", version, "--force"]);
    expect(exported.code, exported.err).toBe(0);
    const target = ["--target", "htp_v73", "--model", shop.at("made/float.onnx")];
    const run = await imported(file, ...target, "-o", shop.at(`${version}.onnx`));
    expect(run.code, run.err).toBe(0);
    expect(run.json.version).toBe(version);
    expect(await outputsOf(`${version}.onnx`)).toEqual(await outputsOf("made/model.onnx"));
  },
);

test("a plan of encodings is one that quantize takes, and calibrates what the file lacks", async () => {
  const encodings = shop.json("made", "model.encodings");
  encodings.activation_encodings = encodings.activation_encodings.filter(({ name }: { name: string }) => name !== "y");
  encodings.param_encodings.push({ ...encodings.param_encodings[0], name: "nothing" });
  shop.write("part.encodings", JSON.stringify(encodings));
  const args = [shop.at("part.encodings"), "--model", shop.at("net.onnx"), "--target", "htp-v73"];
  const whole = await imported(...args, "-o", shop.at("whole.json"));
  expect(whole.json.notes.join("\n")).toMatch(
    /nothing: no quantizer of the plan takes it[\s\S]*y: not in the file, and so in float/,
  );
  const part = await imported(...args, "-o", shop.at("part.json"), "--partial");
  expect(part.json.notes.join("\n")).toMatch(/y: not in the file, calibrated later/);
  const strict = await imported(...args, "-o", shop.at("strict.json"), "--strict");
  expect([strict.code, strict.json.error.code]).toEqual([1, "quant/invalid-encodings"]);
  const run = await quantize("net.onnx", "again", "--plan", shop.at("part.json"));
  expect(run.code, run.err).toBe(0);
  const entries = shop.json("again", "plan.json").entries as { value: string; frozen?: boolean; encoding?: object }[];
  expect(entries.find(({ value }) => value === "y")).toMatchObject({ encoding: expect.anything() });
  expect(entries.find(({ value }) => value === "y")!.frozen).toBeUndefined();
});

test("a quantized model becomes plan and float model, which quantize makes the same file of", async () => {
  const run = await imported(shop.at("made/model.onnx"), "-o", shop.at("raised.json"), "--force");
  expect(run.code, run.err).toBe(0);
  const again = await quantize("float.onnx", "twice", "--plan", shop.at("raised.json"));
  expect(again.code, again.err).toBe(0);
  expect(await outputsOf("twice/model.onnx")).toEqual(await outputsOf("made/model.onnx"));
});

test.each(["convolutions.static", "convolutions.dynamic"])(
  "%s of ONNX Runtime's quantizer: quantize makes a file with its outputs",
  async (name) => {
    const theirs = fileURLToPath(new URL(`../../test/goldens/ort-quantizer/${name}.onnx`, import.meta.url));
    const run = await imported(theirs, "-o", shop.at(`${name}.json`), "--force");
    expect(run.code, run.err).toBe(0);
    const images = Tensor.float32(
      [2, 3, 8, 8],
      Float32Array.from({ length: 384 }, (_, i) => Math.sin(i * 1.7) * 2),
    );
    shop.npy("images.npy", images);
    const data = ["--data", shop.at("images.npy"), "--preset", "fast", "--quiet"];
    const plan = ["--plan", shop.at(`${name}.json`)];
    const again = await avocetJson(["quantize", shop.at("float.onnx"), "-o", shop.at(name), ...data, ...plan]);
    expect(again.code, again.err).toBe(0);
    const runtime = await openRuntime();
    const outputs = async (file: string) => {
      await using session = await runtime.open(file, { threads: 1, exactProducts: true });
      return (await session.run({ x: images })).y!.numbers();
    };
    const [before, after] = [await outputs(theirs), await outputs(shop.at(name, "model.onnx"))];
    for (const [i, y] of before.entries()) expect(after[i]).toBeCloseTo(y, 5);
  },
);

test("what is missing is asked for", async () => {
  const run = await avocet(["import", shop.at("made/model.encodings"), "-o", shop.at("no.json")]);
  expect(run.code).toBe(2);
  expect(run.err).toMatch(/--model MODEL names it/);
});
