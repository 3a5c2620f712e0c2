/** `avocet train`: documents, options, labels, resuming. */
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { parseModel } from "../ir/inner.ts";
import { parseRecipe } from "../recipe/inner.ts";
import { Tensor } from "../tensor/inner.ts";

let shop: Workshop;
const input = () => [shop.at("tiny.onnx"), "--data", shop.at("x.npy")];
const hard = ["--weights", "int4", "--epochs", "3", "--learning-rate", "0.002", "--batch-norms", "none"];
const judged = () => ["--evaluate", shop.at("x.npy"), "--evaluate-labels", shop.at("y.npy")];
const bytes = (name: string) =>
  ["model.onnx", "plan.json", "model.encodings"].map((file) => readFileSync(shop.at(name, file)).toString("base64"));

/** Trains into a new folder. */
const train = (name: string, ...options: string[]) =>
  avocetJson(["train", ...input(), "-o", shop.at(name), ...hard, ...options]);

beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

describe("train", () => {
  test("writes what quantize writes, and tells how it was trained", async () => {
    const { code, json, err } = await train("labelled", "--labels", shop.at("y.npy"), ...judged());
    expect(code, err).toBe(0);
    expect(json.files).toEqual([
      "float.onnx",
      "model.encodings",
      "model.onnx",
      "plan.json",
      "recipe.json",
      "report.html",
      "report.json",
    ]);
    for (const file of json.files) expect(existsSync(shop.at("labelled", file))).toBe(true);
    expect(json.score).toMatchObject({ metric: "top1", float: 1, samples: 40 });
    expect(json.score.quantized).toBeGreaterThan(0.8);
    expect(Object.keys(json.seconds)).toEqual(["read", "prepare", "calibrate", "methods", "write", "judge", "total"]);
    expect(json.peakRssBytes).toBeGreaterThan(30e6);
    // As it ran, defaults included.
    const training = { ...parseRecipe({ training: {} }).training, epochs: 3, learningRate: 0.002, batchNorms: "none" };
    expect(shop.json("labelled", "recipe.json").training).toEqual(training);
    const { steps } = shop.json("labelled", "report.json");
    const notes = JSON.stringify(steps);
    expect(notes).toContain("3 epochs, taught by labels (0.5) and the float model");
  });

  test("without labels the float model teaches; its own recipe gives the same bytes", async () => {
    const { code, err } = await train("taught");
    expect(code, err).toBe(0);
    expect(readFileSync(shop.at("taught", "report.json"), "utf8")).toContain("taught by the float model");
    const again = ["train", ...input(), "-o", shop.at("again"), "--recipe", shop.at("taught", "recipe.json")];
    expect((await avocetJson(again)).code).toBe(0);
    expect(bytes("again")).toEqual(bytes("taught"));
    // Training did something: quantization alone returns another model.
    await avocetJson(["quantize", ...input(), "-o", shop.at("quantized"), "--weights", "int4"]);
    expect(bytes("quantized")[0]).not.toBe(bytes("taught")[0]);
  });

  test("another float model teaches where it is named", async () => {
    // A teacher whose weights are others: what is learned from it must be other, too. Its own copy teaches as the source does.
    const other = readModelFile(shop.at("tiny.onnx"));
    for (const value of other.graph.initializers) {
      const { shape, dtype } = value.initializer!;
      if (dtype === "float32")
        value.initializer = Tensor.float32(
          shape,
          value.initializer!.floats().map((one) => -one),
        );
    }
    const teacher = await shop.model("teacher.onnx", other);
    const { code, err } = await train("by-another", "--teacher", teacher);
    expect(code, err).toBe(0);
    expect(readFileSync(shop.at("by-another", "report.json"), "utf8")).toContain("taught by another float model");
    await train("by-itself");
    await train("by-copy", "--teacher", shop.at("tiny.onnx"));
    expect(bytes("by-copy")).toEqual(bytes("by-itself"));
    expect(bytes("by-another")[0]).not.toBe(bytes("by-itself")[0]);
    other.graph.outputs[0]!.name = "other";
    const refused = await train("refused", "--teacher", await shop.model("stranger.onnx", other));
    expect([refused.code, refused.json.error.code]).toEqual([2, "usage/bad-value"]);
    expect(existsSync(shop.at("refused"))).toBe(false);
  });

  test("statistics of folded batch norms are measured anew after training where the recipe asks for it", async () => {
    const model = parseModel(
      `<ir_version: 10, opset_import: ["" : 21]>
      normed (float[N,8,6,6] x) => (float[N,5] y) <float[4,8,3,3] w1, float[5,4] w2, float[4] gain = {1, 2, 3, 4},
        float[4] shift = {0, 1, 0, 1}, float[4] mean = {0.1, 0.2, 0.3, 0.4}, float[4] variance = {1, 2, 1, 2}> {
        c = Conv(x, w1)
        n = BatchNormalization(c, gain, shift, mean, variance)
        r = Relu(n)
        p = GlobalAveragePool(r)
        f = Flatten(p)
        y = Gemm <transB = 1> (f, w2) }`,
      { seed: 4 },
    );
    const path = await shop.model("normed.onnx", model);
    const trained = async (name: string, reestimate: boolean) => {
      const recipe = shop.write(
        `${name}.json`,
        JSON.stringify({ weights: "int4", training: { epochs: 2, reestimate } }),
      );
      const args = ["train", path, "--data", shop.at("x.npy"), "-o", shop.at(name), "--recipe", recipe];
      const { code, err } = await avocetJson(args);
      expect(code, err).toBe(0);
      return shop.json(name, "report.json").steps.at(-1) as { step: string; edits: number };
    };
    expect(await trained("measured", true)).toMatchObject({ step: "batch-norm-re-estimation", edits: 1 });
    expect(await trained("left", false)).toMatchObject({ step: "qat" });
    expect(bytes("measured")[0]).not.toBe(bytes("left")[0]);
  });

  test("interrupted in the middle of training, it goes on with --resume and gives the same bytes", async () => {
    const abort = new AbortController();
    const args = ["train", ...input(), "-o", shop.at("stopped"), ...hard, "--threads", "1"];
    const waiting = setInterval(() => {
      // The first epoch's state is the third thing that is kept, after two calibrations.
      const kept = shop.listing().filter((name) => name.startsWith(".stopped") && name.endsWith(".bin"));
      if (kept.length >= 3) abort.abort();
    }, 1);
    const stopped = await avocet(args, abort.signal);
    clearInterval(waiting);
    expect(stopped.code).toBe(130);
    expect(existsSync(shop.at("stopped"))).toBe(false);
    const resumed = await avocet([...args, "--resume"]);
    expect(resumed.code, resumed.err).toBe(0);
    expect(resumed.err).toContain("going on with the interrupted run");
    expect(bytes("stopped")).toEqual(bytes("taught"));
  });

  test.each([
    ["labels of other samples", () => ["--labels", shop.write("short.txt", "1\n2\n")], "data/labels", 1],
    ["a rate of zero", () => ["--learning-rate", "0"], "usage/bad-value", 2],
    ["unknown ranges", () => ["--ranges", "moving"], "usage/bad-value", 2],
  ] as const)("refuses %s", async (_, options, code, exit) => {
    const refused = await avocetJson(["train", ...input(), "-o", shop.at("refused"), ...options()]);
    expect([refused.json.error.code, refused.code]).toEqual([code, exit]);
    expect(existsSync(shop.at("refused"))).toBe(false);
  });
});
