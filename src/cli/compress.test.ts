/** `avocet compress`: its folder, its document, its page, and what it refuses. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { macsOf } from "../analysis/inner.ts";
import { inferTypes } from "../facts/inner.ts";
import { readModelFile } from "../formats/inner-node.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

const compress = (name: string, ...options: string[]) =>
  avocetJson(["compress", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at(name), ...options]);
const macsIn = (...path: string[]) => {
  const model = readModelFile(shop.at(...path));
  return macsOf(model, inferTypes(model));
};

test("the folder, the document, and the page", async () => {
  const { code, json } = await compress("half", "--target-macs", "0.5", "--labels", shop.at("y.npy"));
  expect(code).toBe(0);
  expect(json.files).toEqual(["model.onnx", "report.html", "report.json", "sensitivity.json"]);
  // y.npy holds what the float model says.
  expect(json.score).toMatchObject({ name: "top1", float: 1, quantized: json.score.compressed });
  expect(json.score.compressed).toBeGreaterThan(0.8);
  expect(json.cost).toEqual({
    before: { macs: macsIn("tiny.onnx"), parameters: expect.any(Number) },
    after: { macs: macsIn("half", "model.onnx"), parameters: expect.any(Number) },
  });
  expect(json.cost.after.macs / json.cost.before.macs).toBeLessThanOrEqual(0.5);
  expect(json.layers.map(({ layer }: { layer: string }) => layer)).toContain("conv");
  const page = readFileSync(shop.at("half", "report.html"), "utf8");
  for (const text of [
    "Which layers to protect",
    "Cost against loss",
    "Layers before and after",
    "conv",
    "top1 100.00 %",
  ])
    expect(page).toContain(text);
  expect(page).not.toMatch(/NaN|undefined|https?:\/\//);
  // The model goes on to quantization as any other.
  const quantized = await avocetJson([
    "quantize",
    shop.at("half", "model.onnx"),
    "--data",
    shop.at("x.npy"),
    "-o",
    shop.at("half-int8"),
    "--preset",
    "fast",
  ]);
  expect(quantized.code).toBe(0);
  expect(quantized.json.agreement.float).toBeGreaterThan(0.9);
});

test("what is much worse says so, and gates are missed", async () => {
  const gates = ["--min-agreement", "0.99", "--max-drop", "0.01", "--labels", shop.at("y.npy")];
  const { code, json, err } = await compress("tenth", "--target-macs", "0.1", ...gates);
  expect(code).toBe(3);
  expect(err.match(/gate\/missed/g)).toHaveLength(2);
  // y.npy holds what the float model says, so both shares are of the same decisions on the same samples.
  expect(json.agreement.float).toBe(json.score.compressed);
  expect(json.agreement.float).toBeLessThan(0.98);
  expect(json.score.interval.lost[1]).toBeGreaterThan(1 - json.score.compressed);
  expect(json.warnings.map(({ kind }: { kind: string }) => kind)).toEqual(
    expect.arrayContaining(["far-off", "seen-data"]),
  );
  const page = readFileSync(shop.at("tenth", "report.html"), "utf8");
  for (const text of ["much worse than float", "Same class as float", "95 % interval"]) expect(page).toContain(text);
  // Nothing to judge on: said, and not passed in silence.
  shop.write("tenth.json", '{ "conv": 0.1 }');
  const blind = ["compress", shop.at("tiny.onnx"), "-o", shop.at("blind"), "--fit", "plain"];
  const unjudged = await avocetJson([...blind, "--ratios", shop.at("tenth.json"), "--schemes", "spatial-svd"]);
  expect(unjudged.code).toBe(0);
  expect(unjudged.json.warnings).toMatchObject([{ kind: "not-judged" }]);
});

test("sensitivities are taken up again, and shown alone", async () => {
  await compress("first", "--target-macs", "0.6");
  const again = await compress(
    "second",
    "--target-bytes",
    "0.7",
    "--sensitivity",
    shop.at("first", "sensitivity.json"),
  );
  expect(again.code).toBe(0);
  const file = shop.at("second", "sensitivity.json");
  const shown = await avocet(["report", "--sensitivity", file, "-o", shop.at("page.html"), "--json"]);
  expect(shown.code).toBe(0);
  // A page of ours is known as one.
  expect((await avocet(["report", "--sensitivity", file, "-o", shop.at("page.html"), "--force"])).code).toBe(0);
  expect(JSON.parse(shown.out).sensitivities).toEqual(shop.json("second", "sensitivity.json"));
  expect(readFileSync(shop.at("page.html"), "utf8")).toContain("Which layers of");
});

test("ratios by layer in the plain form need no data", async () => {
  shop.write("ratios.json", '{ "conv": 0.5 }');
  const args = ["compress", shop.at("tiny.onnx"), "-o", shop.at("plain"), "--fit", "plain"];
  const { code, json } = await avocetJson([...args, "--ratios", shop.at("ratios.json"), "--schemes", "spatial-svd"]);
  expect(code).toBe(0);
  // (8·3 + 16·3)·36 a rank of 16·8·9·36: eight ranks of 16.
  expect(json.layers).toMatchObject([{ layer: "conv", scheme: "spatial-svd", rank: 8, macs: [41472, 20736] }]);
});

test("channels go, and what reads them with them", async () => {
  const { code, json } = await compress("channels", "--target-macs", "0.5", "--schemes", "channel-pruning");
  expect(code).toBe(0);
  expect(json.cost.after.macs).toBe(macsIn("channels", "model.onnx"));
  expect(json.layers).toMatchObject([{ layer: "conv", scheme: "channel-pruning", rank: 8 }]);
  expect(json.refused).toContainEqual({ layer: "gemm", reason: "it is an output of the model" });
});

test("the metric chooses when it is asked to", async () => {
  const options = ["--target-macs", "0.6", "--selection", "metric", "--monotone", "--candidates", "3"];
  const { code, json } = await compress("metric", ...options, "--labels", shop.at("y.npy"), "--schemes", "output-svd");
  expect(code).toBe(0);
  const { layers, metric } = shop.json("metric", "sensitivity.json");
  expect(metric).toMatchObject({ name: "top1", float: 1 });
  expect(layers[0].candidates.every(({ score }: { score: unknown }) => typeof score === "number")).toBe(true);
  expect(json.cost.after.macs).toBeLessThanOrEqual(0.6 * json.cost.before.macs);
});

describe("refused, with nothing left behind", () => {
  test.each<[string, number, string, readonly string[]]>([
    ["nothing asked for", 2, "usage/missing", []],
    ["two budgets", 2, "usage/missing", ["--target-macs", "0.5", "--target-bytes", "0.5"]],
    ["all", 2, "usage/bad-value", ["--target-macs", "1"]],
    ["nothing", 2, "usage/bad-value", ["--target-macs", "0"]],
    ["more than all", 2, "usage/bad-value", ["--target-bytes", "2"]],
    ["out of reach", 2, "compress/unreachable", ["--target-macs", "0.001"]],
    ["unknown scheme", 2, "usage/bad-value", ["--target-macs", "0.5", "--schemes", "spatial"]],
    ["unknown layer", 2, "compress/no-such-layer", ["--target-macs", "0.5", "--ignore", "cnov"]],
    [
      "nothing left",
      4,
      "compress/nothing-to-compress",
      ["--target-macs", "0.5", "--ignore", "conv", "--ignore", "gemm"],
    ],
    ["a metric without labels", 2, "usage/missing", ["--target-macs", "0.5", "--metric", "top5"]],
    ["a choice by metric without one", 2, "usage/missing", ["--target-macs", "0.5", "--selection", "metric"]],
    ["a gate without a score", 2, "usage/missing", ["--target-macs", "0.5", "--max-drop", "0.01"]],
    ["a fit that nobody does", 2, "usage/missing", ["--target-macs", "0.5", "--monotone"]],
    ["no file of ratios", 1, "import/not-found", ["--ratios", "nowhere.json"]],
  ])("%s", async (_, exit, error, options) => {
    const before = shop.listing();
    const { code, json } = await compress("refused", ...options);
    expect([code, json.error?.code]).toEqual([exit, error]);
    expect(shop.listing()).toEqual(before);
  });

  test("a model that is quantized already", async () => {
    const input = ["--data", shop.at("x.npy"), "-o"];
    const made = await avocetJson(["quantize", shop.at("tiny.onnx"), ...input, shop.at("int8"), "--preset", "fast"]);
    expect(made.code).toBe(0);
    const again = ["compress", shop.at("int8", "model.onnx"), ...input, shop.at("refused"), "--target-macs", "0.5"];
    const { code, json } = await avocetJson(again);
    expect([code, json.error?.code]).toEqual([4, "quant/already-quantized"]);
  });

  test("a page of runs of a folder that compress made", async () => {
    await compress("small", "--target-macs", "0.6");
    const { code, out } = await avocet(["report", shop.at("small"), "-o", shop.at("none.html"), "--json"]);
    expect([code, JSON.parse(out).error.message]).toEqual([1, "expected a report of quantize, got one of compress"]);
  });

  test("folders and sensitivities at once, or neither", async () => {
    const both = await avocet(["report", shop.folder, "--sensitivity", "s.json", "-o", shop.at("none.html"), "--json"]);
    const none = await avocet(["report", "-o", shop.at("none.html"), "--json"]);
    for (const { code, out } of [both, none]) expect([code, JSON.parse(out).error.code]).toEqual([2, "usage/missing"]);
  });
});

test("inspect draws the weights, and refuses half of what that needs", async () => {
  const inspect = (...options: string[]) => avocet(["inspect", shop.at("tiny.onnx"), "--json", ...options]);
  const { code, out } = await inspect("--weights", "-o", shop.at("weights.html"));
  expect(code).toBe(0);
  const { weights } = JSON.parse(out);
  expect(
    weights.map(({ layer, channels }: { layer: string; channels: unknown[] }) => [layer, channels.length]),
  ).toEqual([
    ["conv", 16],
    ["gemm", 5],
  ]);
  const page = readFileSync(shop.at("weights.html"), "utf8");
  for (const text of ["Weights of tiny.onnx", "16 channels", "Spread"]) expect(page).toContain(text);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
  // Next to what they were: the layers that both have.
  await compress("halved", "--target-macs", "0.5", "--schemes", "spatial-svd");
  const halved = shop.at("halved", "model.onnx");
  const before = ["--weights", "--before", shop.at("tiny.onnx"), "-o", shop.at("before.html"), "--json"];
  const compared = await avocet(["inspect", halved, ...before]);
  const { weightChanges } = JSON.parse(compared.out);
  // The classifier was fitted to what the smaller layer gives.
  expect(weightChanges.map(({ layer }: { layer: string }) => layer).sort()).toEqual(["conv", "gemm"]);
  expect(weightChanges).toEqual(shop.json("halved", "report.json").weightChanges);
  for (const file of [shop.at("before.html"), shop.at("halved", "report.html")]) {
    const shown = readFileSync(file, "utf8");
    expect(shown).toContain("Weights before and after");
    expect(shown).not.toMatch(/NaN|undefined|Infinity/);
  }
  for (const options of [["--weights"], ["-o", shop.at("other.html")], ["--before", halved]]) {
    const { code: refused, out: told } = await inspect(...options);
    expect([refused, JSON.parse(told).error.code]).toEqual([2, "usage/missing"]);
  }
});

describe("training what was compressed", () => {
  test("--finetune, taught by the given model or by labels, is in the notes and in the seconds", async () => {
    const alone = await compress("tuned", "--target-macs", "0.3", "--finetune", "epochs=3,batch=20");
    expect(alone.code, alone.out).toBe(0);
    // How much time is saved may be the last note, or none.
    const about = (of: { notes: string[] }) => of.notes.find((note) => note.includes("taught by"));
    expect(about(alone.json)).toMatch(/^fine-tuned: 6 steps of 20 samples, 3 epochs, taught by/);
    expect(alone.json.seconds.finetune).toBeGreaterThan(0);
    const bytes = (name: string) => readFileSync(shop.at(name, "model.onnx"));
    await compress("untuned", "--target-macs", "0.3");
    expect(bytes("tuned").equals(bytes("untuned"))).toBe(false);
    const labelled = await compress("labelled", "--target-macs", "0.3", "--finetune", "epochs=1,labels=1", "--finetune-labels", shop.at("y.npy")); // biome-ignore format: a command
    expect(about(labelled.json)).toMatch(/taught by labels$/);
  });

  test("one command from float to int8: smaller, trained, quantized", async () => {
    const { code, json, out } = await avocetJson(["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "--preset", "fast", "--target-macs", "0.5", "--finetune", "epochs=2,batch=20", "--evaluate", shop.at("x.npy"), "--labels", shop.at("y.npy"), "-o", shop.at("chain")]); // biome-ignore format: a command
    expect(code, out).toBe(0);
    // Float is the model as it was given.
    expect(json.score.float).toBe(1);
    const report = shop.json("chain", "report.json");
    expect(report.steps.map(({ step }: { step: string }) => step).slice(0, 2)).toEqual(["compress", "fine-tune"]);
    expect(report.settings.compression).toBe("0.5 of the MACs, trained 2 epochs");
    expect(shop.json("chain", "recipe.json").compression).toMatchObject({
      macs: 0.5,
      finetune: { epochs: 2, batch: 20 },
    });
    expect(macsIn("chain", "float.onnx")! / macsIn("tiny.onnx")!).toBeLessThanOrEqual(0.5);
  });

  test.each([
    ["a misspelt key", ["--target-macs", "0.5", "--finetune", "epoch=3"], /recipe\/invalid.*"epoch"/s],
    ["no number", ["--target-macs", "0.5", "--finetune", "epochs=many"], /recipe\/invalid/],
    [
      "labels without training",
      ["--target-macs", "0.5", "--finetune-labels", "y.npy"],
      /--finetune OPTIONS next to --finetune-labels/,
    ],
    ["two budgets", ["--target-macs", "0.5", "--target-latency", "50%"], /expected one of --target-macs/],
    ["a target that the model meets", ["--target-latency", "1000s"], /expected less than the [\d.]+ ms/],
    ["no time", ["--target-latency", "soon"], /expected an amount above zero/],
  ])("%s is refused", async (_, options, text) => {
    const run = await avocet(["compress", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("none"), ...options]); // biome-ignore format: a command
    expect(run.code).toBe(2);
    expect(run.err).toMatch(text);
    expect(shop.listing().some((name) => name.startsWith("none"))).toBe(false);
  });

  test("quantize: --finetune needs a budget", async () => {
    const run = await avocet(["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "--finetune", "epochs=1", "-o", shop.at("none")]); // biome-ignore format: a command
    expect(run.err).toMatch(/expected --target-macs or --target-bytes next to --finetune/);
  });
});
