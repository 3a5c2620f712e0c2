/** Reading, detecting, embedding and enhancing from the command line: labels of every kind, decodings, gates in their units. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { ctcTexts } from "../analysis/metrics/ctc.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";

let shop: Workshop;
const samples = 24;
const waves = (shape: readonly number[]) =>
  Tensor.float32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 1.7)),
  );

beforeAll(async () => {
  shop = await workshop();
  const runtime = await openRuntime();
  await shop.model("reader.onnx", parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> reader (float[N,6,8] x) => (float[N,6,4] y) <float[8,4] w> { [out] y = MatMul(x, w) }`,
    { seed: 3 },
  )); // biome-ignore format: a model
  shop.npy("pages.npy", waves([samples, 6, 8]));
  shop.write("letters.json", JSON.stringify({ ctc: { characters: "ab " } }));
  await using reader = await runtime.open(shop.at("reader.onnx"));
  const { y } = await reader.run({ x: waves([samples, 6, 8]) });
  const texts = ctcTexts(y!, samples, { characters: "ab ", blank: 0, axes: "ntc" });
  // One letter more in the first: as many errors, whatever else is read.
  shop.write("lines.txt", `${[`${texts[0]}a`, ...texts.slice(1)].join("\n")}\n`);
  letters = texts.join("").length + 1;

  await shop.model("finder.onnx", parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> finder (float[N,8,2,2] x) => (float[N,7,2,2] y) <float[7,8,1,1] w> { [out] y = Conv(x, w) }`,
    { seed: 5 },
  )); // biome-ignore format: a model
  shop.npy("scenes.npy", waves([samples, 8, 2, 2]));
  shop.write("grid.json", JSON.stringify({ boxes: { box: [1, 2, 3, 4], position: "sigmoid", size: "sigmoid", cells: true, object: 0, scores: "sigmoid", classes: 5, overlap: 1 } })); // biome-ignore format: a document
  await using finder = await runtime.open(shop.at("finder.onnx"));
  const found = (await finder.run({ x: waves([samples, 8, 2, 2]) })).y!.floats();
  // What the model finds itself in each cell, computed here.
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const boxes = Array.from({ length: samples }, (_, n) =>
    Array.from({ length: 4 }, (_, cell) => {
      const at = (number: number) => found[(n * 7 + number) * 4 + cell]!;
      const [cx, cy] = [((cell % 2) + sigmoid(at(1))) / 2, (Math.floor(cell / 2) + sigmoid(at(2))) / 2];
      const [w, h] = [sigmoid(at(3)) / 2, sigmoid(at(4)) / 2];
      const clip = (x: number) => Math.min(1, Math.max(0, x));
      return [at(6) > at(5) ? 1 : 0, clip(cx - w), clip(cy - h), clip(cx + w), clip(cy + h)];
    }),
  );
  shop.write("boxes.json", JSON.stringify(boxes));
});
let letters = 0;
afterAll(() => shop[Symbol.dispose]());

const data = (name: string) => ["--data", shop.at(name)];
const judging = (metric: string, labels: string, decode?: string) => [
  "--metric", metric, "--labels", shop.at(labels), ...(decode ? ["--decode", shop.at(decode)] : []),
]; // biome-ignore format: arguments

describe("reading", () => {
  test("evaluate, quantize and verify judge by character error rate, with gates in points", async () => {
    const judged = judging("cer", "lines.txt", "letters.json");
    const { json } = await avocetJson(["evaluate", shop.at("reader.onnx"), ...data("pages.npy"), ...judged]);
    expect(json).toMatchObject({ metric: "cer", unit: "%", better: "lower", samples });
    expect(json.value).toBeCloseTo(1 / letters, 12);
    const made = await avocetJson(["quantize", shop.at("reader.onnx"), ...data("pages.npy"), "--evaluate", shop.at("pages.npy"), ...judged, "--preset", "fast", "--max-drop", "5%", "-o", shop.at("read")]); // biome-ignore format: a command
    expect(made.code, made.err).toBe(0);
    expect(made.json.score.float).toBeCloseTo(1 / letters, 12);
    expect(made.json.score.interval).not.toBeNull();
    const verified = await avocetJson(["verify", shop.at("read"), ...data("pages.npy"), ...judged, "--max-drop", "5%"]);
    expect(verified.code, verified.out).toBe(0);
    expect(verified.json.score).toMatchObject({ metric: "cer", float: made.json.score.float, quantized: made.json.score.quantized }); // biome-ignore format: one thought
    const text = await avocet(["verify", shop.at("read"), ...data("pages.npy"), ...judged]);
    expect(text.out).toMatch(/score {4}cer: float \d/);
    const gated = await avocet(["verify", shop.at("read"), ...data("pages.npy"), "--max-drop", "1%"]);
    expect(gated.err).toMatch(/--metric NAME or --labels LABELS next to --max-drop/);
  });

  test("how outputs become texts must be said, and said of texts", async () => {
    const none = await avocet([
      "evaluate",
      shop.at("reader.onnx"),
      ...data("pages.npy"),
      ...judging("wer", "lines.txt"),
    ]);
    expect([none.code, none.err]).toEqual([2, expect.stringMatching(/expected --decode FILE next to --metric wer/)]);
    const other = await avocet(["evaluate", shop.at("reader.onnx"), ...data("pages.npy"), ...judging("wer", "lines.txt", "grid.json")]); // biome-ignore format: a command
    expect([other.code, other.err]).toEqual([2, expect.stringMatching(/expected a decoding of ctc/)]);
  });
});

describe("detecting", () => {
  test("a model finds what it found", async () => {
    const judged = judging("map50", "boxes.json", "grid.json");
    const { json } = await avocetJson(["evaluate", shop.at("finder.onnx"), ...data("scenes.npy"), ...judged]);
    expect(json).toMatchObject({ metric: "map50", unit: "%", better: "higher", interval: null });
    expect(json.value).toBe(1);
    const made = await avocetJson(["quantize", shop.at("finder.onnx"), ...data("scenes.npy"), "--evaluate", shop.at("scenes.npy"), ...judged, "--preset", "fast", "-o", shop.at("found")]); // biome-ignore format: a command
    expect(made.json.score).toMatchObject({ metric: "map50", float: json.value, interval: null });
    expect(made.json.score.quantized).toBeGreaterThan(0.7);
  });

  test("boxes in other places than the data's samples are refused at once", async () => {
    shop.write("few.json", "[[[0,0,0,1,1]]]");
    const run = await avocet(["evaluate", shop.at("finder.onnx"), ...data("scenes.npy"), ...judging("map", "few.json", "grid.json")]); // biome-ignore format: a command
    expect(run.err).toMatch(/expected 24 labels, one per sample, got 1/);
  });
});

describe("figures against arrays and against float", () => {
  test("with labels against them, without against the outputs of float", async () => {
    shop.npy("zeros.npy", Tensor.float32([samples, 6, 4], new Float32Array(samples * 24)));
    const run = (name: string, ...judged: string[]) =>
      avocetJson(["quantize", shop.at("reader.onnx"), ...data("pages.npy"), "--evaluate", shop.at("pages.npy"), "--preset", "fast", ...judged, "-o", shop.at(name)]); // biome-ignore format: a command
    const alone = await run("alone", "--metric", "mse", "--max-drop", "0.1");
    expect(alone.code, alone.err).toBe(0);
    expect(alone.json.score).toMatchObject({ metric: "mse", unit: "", float: 0 });
    expect(alone.json.score.quantized).toBeGreaterThan(0);
    const labelled = await run("labelled", ...judging("mse", "zeros.npy"));
    expect(labelled.json.score.float).toBeGreaterThan(0.1);
  });

  test("embeddings of a class are found by each other", async () => {
    shop.write("pairs.txt", Array.from({ length: samples }, (_, i) => i >> 1).join("\n"));
    const { json } = await avocetJson(["evaluate", shop.at("reader.onnx"), ...data("pages.npy"), ...judging("recall@23", "pairs.txt")]); // biome-ignore format: a command
    expect(json).toMatchObject({ metric: "recall@23", value: 1, samples });
  });
});
