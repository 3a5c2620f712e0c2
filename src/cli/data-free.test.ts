/** `avocet quantize --preset data-free`: no data is asked for, and nothing is claimed that was measured on noise. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { parseModel } from "../ir/inner.ts";

let shop: Workshop;
// The batch norm tells the range behind the first layer; the recipe or the preprocessing tells that of the input.
const text = `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,3,8,8] x) => (float[N,5] y)
  <float[8,3,3,3] w1, float[8] gamma = {1, 1.5, 0.5, 1, 1, 0.7, 1, 2}, float[8] beta = {0, 0.5, -0.5, 1, 0, 0, 0.2, 0},
   float[8] mean = {0, 0, 0.1, 0, 0, 0, 0, 0}, float[8] var = {1, 1, 1, 2, 1, 1, 1, 1}, float[5,8] w2> {
    [conv] c = Conv <pads = [1,1,1,1]> (x, w1)
    [norm] n = BatchNormalization(c, gamma, beta, mean, var)
    [relu] r = Relu(n)
    [pool] p = GlobalAveragePool(r)
    [flat] f = Flatten(p)
    [gemm] y = Gemm <transB = 1> (f, w2) }`;
const run = (name: string, ...options: string[]) =>
  avocetJson(["quantize", shop.at("net.onnx"), "--preset", "data-free", "-o", shop.at(name), ...options]);

beforeAll(async () => {
  shop = await workshop();
  await shop.model("net.onnx", parseModel(text, { seed: 5 }));
  shop.write("pictures.json", JSON.stringify({ scale: "1/127.5", mean: 1 }));
  shop.write("ranges.json", JSON.stringify({ inputs: { x: { low: -1, high: 1 } } }));
});
afterAll(() => shop[Symbol.dispose]());

test("a picture network needs its preprocessing and nothing else; decisions on noise are not reported", async () => {
  const { code, json, err } = await run("pictures", "--preprocess", shop.at("pictures.json"));
  expect(code, err).toBe(0);
  expect(json.agreement).toEqual({ simulation: null, float: null });
  expect(json.latencyMs.quantized).toBeGreaterThan(0);
  const plan = shop.json("pictures", "plan.json");
  expect(plan.entries.every((entry: { encoding?: unknown }) => entry.encoding)).toBe(true);
  const report = shop.json("pictures", "report.json");
  expect(report.settings).toMatchObject({
    preset: "data-free",
    calibration: "none: ranges without data",
    compared: "on noise, no data was given",
  });
  expect(report.steps.map((step: { step: string }) => step.step)).toContain("data-free-ranges");
});

test("a recipe tells the range of an input that is no picture; the input's scale spans it", async () => {
  const { code, err } = await run("ranges", "--recipe", shop.at("ranges.json"), "--target", "aimet-default");
  expect(code, err).toBe(0);
  const entries: { value: string; encoding: { scale: number[] } }[] = shop.json("ranges", "plan.json").entries;
  expect(entries.find((entry) => entry.value === "x")!.encoding.scale[0]).toBe(1 / 128); // 2/255, but for the last step
});

test("nothing known of the input: the values without a range are listed, with the way out", async () => {
  const { code, json } = await run("none", "--target", "aimet-default");
  expect([code, json.error.code]).toEqual([1, "quant/not-calibrated"]);
  expect(json.error.message).toMatch(/x: /);
  // Under ort-cpu the first layer stays in float and needs no range; there is still nothing to run the result on.
  const unmeasured = await run("unmeasured");
  expect(unmeasured.code).toBe(0);
  expect(unmeasured.json.warnings[0]).toMatchObject({ kind: "not-judged", text: expect.stringMatching(/no data/) });
  expect(shop.listing()).toContain("unmeasured/model.onnx");
});

test("data tells the range of an input that nothing else tells, and the result is that of the range told", async () => {
  const tiny = [shop.at("tiny.onnx"), "--preset", "data-free", "--granularity", "tensor"];
  const { code, err } = await avocetJson(["quantize", ...tiny, "--data", shop.at("x.npy"), "-o", shop.at("read")]);
  expect(code, err).toBe(0);
  const { steps } = shop.json("read", "report.json") as { steps: { step: string; notes: string[] }[] };
  const notes = (name: string) => steps.find(({ step }) => step === name)?.notes[0];
  expect(notes("input-ranges")).toMatch(/^x: -[\d.]+ … [\d.]+, read from \d+ samples: nothing else tells its range$/);
  expect(notes("cross-layer-equalization")).toMatch(/^(kept|undone): output SQNR [\d.]+ → [\d.]+ dB on noise$/);
});

test("with one scale per weight and nothing known, the report says what was not tried and what would tell", async () => {
  const tiny = [shop.at("net.onnx"), "--preset", "data-free", "--granularity", "tensor"];
  const { code, err } = await avocetJson(["quantize", ...tiny, "-o", shop.at("unknown")]);
  expect(code, err).toBe(0);
  const { steps } = shop.json("unknown", "report.json") as { steps: { step: string; notes: string[] }[] };
  expect(steps.find(({ step }) => step === "cross-layer-equalization")?.notes[0]).toBe(
    "not tried, as the range of x is unknown: --preprocess, the recipe's inputs or --data say it",
  );
});

test("with labelled data the result is judged on it, and still not calibrated with it", async () => {
  const tiny = [shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "--evaluate", shop.at("x.npy"), "--labels", shop.at("y.npy")]; // biome-ignore format: options
  shop.write("tiny.json", JSON.stringify({ inputs: { x: { low: -4, high: 4, deviation: 1 } } }));
  const made = (name: string, ...more: string[]) =>
    avocetJson(["quantize", ...tiny, "--preset", "data-free", "--recipe", shop.at("tiny.json"), "-o", shop.at(name), ...more]); // biome-ignore format: options
  const { code, json, err } = await made("judged");
  expect(code, err).toBe(0);
  expect(json.score.quantized).toBeGreaterThan(0.8);
  expect(json.agreement.float).toBeGreaterThan(0.8);
  await made("fewer", "--samples", "first:4");
  expect(shop.json("fewer", "plan.json")).toEqual(shop.json("judged", "plan.json"));
});

test("the other presets ask for data, and a gate on agreement asks for some", async () => {
  const standard = await avocetJson(["quantize", shop.at("net.onnx"), "-o", shop.at("standard")]);
  expect([standard.code, standard.json.error.code]).toEqual([1, "data/none"]);
  const gated = await run("gated", "--preprocess", shop.at("pictures.json"), "--min-agreement", "0.9");
  expect([gated.code, gated.json.error.code]).toEqual([2, "usage/missing"]);
  const { out } = await avocet(["help", "quantize"]);
  expect(out.replace(/\s+/g, " ")).toContain("fast, standard (default), best, or data-free (needs no --data)");
});
