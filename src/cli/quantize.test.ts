/** `avocet quantize` and what its folder is good for: documents, options, gates, judging, reports. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { readModelFile } from "../formats/inner-node.ts";

let shop: Workshop;
const input = () => [shop.at("tiny.onnx"), "--data", shop.at("x.npy")];
const labelled = () => ["--evaluate", shop.at("x.npy"), "--labels", shop.at("y.npy")];
const dtypes = (path: string) => new Set([...readModelFile(path).graph.initializers].map((v) => v.initializer!.dtype));

/** Quantizes into a new folder; the document, and a reader of what was written. */
async function quantize(name: string, ...options: string[]) {
  const run = await avocetJson(["quantize", ...input(), "-o", shop.at(name), ...options]);
  return { ...run, plan: () => shop.json(name, "plan.json"), recipe: () => shop.json(name, "recipe.json") };
}

beforeAll(async () => {
  shop = await workshop();
  await quantize("default", ...labelled());
});
afterAll(() => shop[Symbol.dispose]());

describe("quantize", () => {
  test("the document has the fixed keys, and they are true", async () => {
    const { code, json, err } = await quantize("keys", ...labelled());
    expect(code).toBe(0);
    expect(json.output).toBe(shop.at("keys"));
    expect(json.files).toEqual([
      "float.onnx",
      "model.encodings",
      "model.onnx",
      "plan.json",
      "recipe.json",
      "report.html",
      "report.json",
    ]);
    for (const file of json.files) expect(existsSync(shop.at("keys", file))).toBe(true);
    expect(json.score).toMatchObject({ metric: "top1", float: 1, samples: 40 });
    expect(json.score.quantized).toBeGreaterThan(0.9);
    const { total, ...parts } = json.seconds;
    expect(Object.keys(parts)).toEqual(["read", "prepare", "calibrate", "methods", "write", "judge"]);
    const sum = Object.values(parts as Record<string, number>).reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(0.9 * total);
    expect(sum).toBeLessThanOrEqual(total);
    expect(json.peakRssBytes).toBeGreaterThan(30e6);
    expect(json.peakRssBytes).toBeLessThan(8e9);
    expect(err).toContain("calibrate");
  });

  test("the recipe records the model, its hash, and where the data was", () => {
    const recipe = shop.json("default", "recipe.json");
    const sha256 = createHash("sha256")
      .update(readFileSync(shop.at("tiny.onnx")))
      .digest("hex");
    expect(recipe).toMatchObject({ target: "ort-cpu", calibration: "sqnr", preset: "standard", samples: 500, seed: 0 });
    expect(recipe.model).toEqual({ path: shop.at("tiny.onnx"), sha256 });
    expect(recipe.data).toBe(shop.at("x.npy"));
  });

  test("model.encodings is AIMET's format 1.0.0", () => {
    const encodings = shop.json("default", "model.encodings");
    expect(encodings.version).toBe("1.0.0");
    expect(encodings.param_encodings.map((e: { name: string }) => e.name)).toContain("w1");
  });

  test("the same command gives the same bytes", async () => {
    await quantize("again", ...labelled());
    for (const file of ["model.onnx", "plan.json", "model.encodings"]) {
      expect(readFileSync(shop.at("again", file)).equals(readFileSync(shop.at("default", file))), file).toBe(true);
    }
  });

  test("its own recipe gives the same bytes; options beside it win", async () => {
    await quantize("as-recorded", "--recipe", shop.at("default", "recipe.json"));
    expect(
      readFileSync(shop.at("as-recorded", "model.onnx")).equals(readFileSync(shop.at("default", "model.onnx"))),
    ).toBe(true);
    const { recipe } = await quantize("over", "--recipe", shop.at("default", "recipe.json"), "--calibration", "minmax");
    expect(recipe().calibration).toBe("minmax");
  });

  test.each(["sqnr", "minmax", "tf_enhanced", "percentile:99.9", "mse", "entropy"])(
    "--calibration %s",
    async (scheme) => {
      const { code, json, recipe } = await quantize(`by-${scheme.replace(":", "-")}`, "--calibration", scheme);
      expect(code).toBe(0);
      expect(recipe().calibration).toBe(scheme);
      expect(json.agreement.float).toBeGreaterThan(0.8);
    },
  );

  test("--weights int4 is stored in four bits", async () => {
    expect((await quantize("w4", "--weights", "int4")).code).toBe(0);
    expect(dtypes(shop.at("w4", "model.onnx"))).toContain("int4");
    expect(dtypes(shop.at("default", "model.onnx"))).not.toContain("int4");
  });

  test("--activations uint16", async () => {
    const { code, json } = await quantize("a16", "--activations", "uint16");
    expect([code, json.agreement.float]).toEqual([0, 1]);
    expect(dtypes(shop.at("a16", "model.onnx"))).toContain("uint16");
  });

  test("--granularity decides how many scales a weight has", async () => {
    const scales = (plan: { entries: { value: string; encoding: { scale: number[] } }[] }) =>
      plan.entries.find(({ value }) => value === "w1")!.encoding.scale.length;
    expect(scales((await quantize("per-tensor", "--granularity", "tensor")).plan())).toBe(1);
    expect(scales((await quantize("per-channel", "--granularity", "channel")).plan())).toBe(16);
  });

  test("--target takes names and files, and the file becomes part of the recipe", async () => {
    expect((await quantize("aimet", "--target", "aimet-default")).plan().target).toBe("aimet-default");
    const file = { defaults: { ops: { is_output_quantized: "True" }, params: { is_quantized: "True" } }, params: {}, op_type: {}, supergroups: [], model_input: {}, model_output: {} }; // biome-ignore format: a file
    shop.write("target.json", JSON.stringify(file));
    const { code, json, recipe } = await quantize("by-file", "--target", shop.at("target.json"));
    expect(code, JSON.stringify(json)).toBe(0);
    expect(recipe().target).toEqual(file);
  });

  test.each([["conv"], ["/^con/"], ["Conv"]])("--float %s keeps the convolution, and says so", async (selector) => {
    const name = `float-${selector.replaceAll("/", "")}`;
    const { plan } = await quantize(name, "--float", selector);
    const weights = plan().entries.filter(({ kind }: { kind: string }) => kind === "weight");
    expect(weights.map(({ value }: { value: string }) => value)).toEqual(["w2"]);
    expect(plan().notQuantized.find(({ value }: { value: string }) => value === "w1").reason).toContain(selector);
  });

  test("--samples chooses calibration data", async () => {
    const read = (name: string) => readFileSync(shop.at(name, "model.onnx"));
    await quantize("four", "--samples", "first:4", "--calibration", "minmax");
    await quantize("all", "--calibration", "minmax");
    expect(read("four").equals(read("all"))).toBe(false);
  });

  test("people get a table on stdout and progress on stderr, or none with --quiet", async () => {
    const loud = await avocet(["quantize", ...input(), "-o", shop.at("loud"), ...labelled()]);
    expect(loud.out).toMatch(/top1 +100\.00 % +\d/);
    expect(loud.out).toContain("model.onnx ships");
    expect(loud.err).toMatch(/calibrate[\s\S]*verify/);
    expect((await avocet(["quantize", ...input(), "-o", shop.at("quiet"), "--quiet"])).err).toBe("");
  });
});

describe("gates", () => {
  test("missed: exit 3, the result still written, the document as ever", async () => {
    const run = await quantize(
      "gated",
      "--min-agreement",
      "1",
      "--weights",
      "int2",
      ...labelled(),
      "--max-drop",
      "0",
      "--float",
      "relu",
    );
    expect(run.code).toBe(3);
    expect(existsSync(shop.at("gated", "model.onnx"))).toBe(true);
    expect(run.json.output).toBe(shop.at("gated"));
    expect(run.err).toMatch(/error gate\/missed: the score fell by 0\.\d+, at most 0 was asked for \(at --max-drop\)/);
    expect(run.err).toMatch(/error gate\/missed: agreement 0\.\d+, .* \(at --min-agreement\)/);
  });

  test("kept: exit 0", async () => {
    const run = await quantize("kept", "--min-agreement", "0.5", ...labelled(), "--max-drop", "0.5");
    expect([run.code, run.err.includes("gate")]).toEqual([0, false]);
  });

  test("verify has the one of agreement", async () => {
    const args = ["verify", shop.at("gated"), "--data", shop.at("x.npy")];
    expect((await avocetJson([...args, "--min-agreement", "1"])).code).toBe(3);
    expect((await avocetJson([...args, "--min-agreement", "0.1"])).code).toBe(0);
  });
});

describe("judging", () => {
  test("evaluate takes a model or a folder; --simulated turns integer kernels off", async () => {
    const rest = ["--data", shop.at("x.npy"), "--labels", shop.at("y.npy")];
    const float = await avocetJson(["evaluate", shop.at("tiny.onnx"), ...rest, "--metric", "top1"]);
    expect(float.json).toMatchObject({ metric: "top1", value: 1, samples: 40 });
    expect(float.json.seconds).toBeGreaterThan(0);
    const folder = await avocetJson(["evaluate", shop.at("default"), ...rest, "--simulated"]);
    expect(folder.json.value).toBeGreaterThan(0.9);
    const part = await avocetJson(["evaluate", shop.at("default"), ...rest, "--metric", "top5", "--samples", "10"]);
    expect(part.json).toMatchObject({ metric: "top5", value: 1, samples: 10 });
    expect((await avocet(["evaluate", shop.at("default"), ...rest])).out).toMatch(/^top1 \d+\.\d+ % of 40 samples in/);
  });

  test("compare: outputs, agreement, values; equal models are exact, which JSON says as null", async () => {
    const data = ["--data", shop.at("x.npy")];
    const { json } = await avocetJson(["compare", shop.at("tiny.onnx"), shop.at("default"), ...data]);
    expect(Object.keys(json)).toEqual(["samples", "outputs", "agreement", "decisions", "equal", "values"]);
    expect(json.decisions).toMatchObject({ of: "samples", why: [] });
    expect(json.samples).toBe(40);
    expect(json.outputs[0]).toMatchObject({ name: "y" });
    expect(json.outputs[0].sqnr).toBeGreaterThan(20);
    expect(json.outputs[0].cosine).toBeGreaterThan(0.99);
    expect(json.values.map(({ name }: { name: string }) => name)).toContain("r");
    const same = await avocetJson(["compare", shop.at("tiny.onnx"), shop.at("tiny.onnx"), ...data]);
    expect(same.json).toMatchObject({ agreement: 1, outputs: [{ name: "y", sqnr: null, cosine: 1 }] });
    expect((await avocet(["compare", shop.at("tiny.onnx"), shop.at("default"), ...data])).out).toContain(
      "same decision",
    );
  });

  test("verify: the fixed keys, its data from the recipe", async () => {
    const { code, json } = await avocetJson(["verify", shop.at("default")]);
    expect(code).toBe(0);
    expect(json).toMatchObject({ runtime: "ort-node", samples: 40 });
    expect(json.agreement.simulation).toBeGreaterThan(0.95);
    expect(json.integerKernels + json.floatKernels.length).toBe(2);
    for (const { node, reason } of json.floatKernels)
      expect([node, reason]).toEqual([expect.any(String), expect.stringMatching(/\w/)]);
    expect(json.bytes).toEqual({ float: readFileSync(shop.at("tiny.onnx")).length, quantized: readFileSync(shop.at("default", "model.onnx")).length }); // biome-ignore format: one fact
    expect(Object.keys(json.latencyMs)).toEqual(["float", "quantized"]);
  });

  test("where outputs hold classes is remembered: verify and compare need not be told again", async () => {
    const { json, recipe } = await quantize("axis", "--preset", "fast", "--class-axis", "none");
    expect(json.decisions.of).toBeNull();
    expect(recipe().classAxis).toEqual(["none"]);
    const commands = [
      ["verify", shop.at("axis")],
      ["compare", shop.at("tiny.onnx"), shop.at("axis"), "--data", shop.at("x.npy")],
    ];
    for (const command of commands) {
      expect((await avocetJson([...command, "--quiet"])).json.decisions.of, command[0]).toBeNull();
      const told = await avocetJson([...command, "--quiet", "--class-axis", "1"]);
      expect(told.json.decisions.of, command[0]).toBe("samples");
    }
  });

  test("verify wants the float model that was quantized, or the one it is told", async () => {
    const recipe = shop.json("again", "recipe.json");
    shop.write("again/recipe.json", JSON.stringify({ ...recipe, model: { ...recipe.model, sha256: "0".repeat(64) } }));
    const changed = await avocetJson(["verify", shop.at("again")]);
    expect([changed.code, changed.json.error.code]).toEqual([1, "import/malformed"]);
    shop.write("again/recipe.json", JSON.stringify({ ...recipe, model: { ...recipe.model, path: "/nowhere.onnx" } }));
    expect((await avocetJson(["verify", shop.at("again")])).json.error.code).toBe("import/not-found");
    expect((await avocetJson(["verify", shop.at("again"), "--float-model", shop.at("tiny.onnx")])).code).toBe(0);
  });

  test("inspect: the fixed keys, without running anything", async () => {
    const { json } = await documentOf(["inspect", shop.at("tiny.onnx")]);
    expect(json).toMatchObject({
      inputs: [{ name: "x", dtype: "float32", shape: ["N", 8, 6, 6] }],
      outputs: [{ name: "y", dtype: "float32", shape: ["N", 5] }],
      opset: 21,
      operators: { Conv: 1, Relu: 1, GlobalAveragePool: 1, Flatten: 1, Gemm: 1 },
      parameters: 16 * 8 * 9 + 16 + 80,
      bytes: readFileSync(shop.at("tiny.onnx")).length,
    });
    expect(Object.keys(json)).toContain("macs");
    expect(json.quantizable.weights).toBeGreaterThan(0);
    const people = await avocet(["inspect", shop.at("tiny.onnx"), "--target", "aimet-default"]);
    expect(people.out).toMatch(/quantizable 2 weights/);
    const quantized = await documentOf(["inspect", shop.at("default", "model.onnx")]);
    expect(quantized.json.quantizable.refused).toMatch(/QuantizeLinear/);
  });

  test.each([
    ["null", "import/malformed"],
    ["{}", "import/malformed"],
    ['{"version":1,"values":[]}', "import/malformed"],
    ["[1,", "import/malformed"],
    [null, "import/not-found"],
  ])("report of %s: %s, and no page", async (text, code) => {
    if (text !== null) {
      mkdirSync(shop.at("broken"), { recursive: true });
      shop.write("broken/report.json", text);
    }
    const dir = text === null ? shop.at("absent") : shop.at("broken");
    const run = await documentOf(["report", dir, "-o", shop.at("broken.html")]);
    expect([run.code, run.json.error.code, run.json.error.at]).toEqual([1, code, join(dir, "report.json")]);
    expect(existsSync(shop.at("broken.html"))).toBe(false);
  });

  test("report puts several runs on one page", async () => {
    const dirs = [shop.at("default"), shop.at("w4")];
    const run = await documentOf(["report", ...dirs, "-o", shop.at("page.html")]);
    expect(run.json.runs.map(({ name }: { name: string }) => name)).toEqual(["default", "w4"]);
    expect(readFileSync(shop.at("page.html"), "utf8")).toContain("2 runs side by side");
    expect((await avocet(["report", ...dirs, "-o", shop.at("page.html")])).code).toBe(2);
    const forced = await avocet(["report", dirs[0]!, "-o", shop.at("page.html"), "--force"]);
    expect(forced.out).toMatch(/^default: tiny\.onnx /);
  });
});

/** For commands without --threads. */
async function documentOf(args: readonly string[]) {
  const run = await avocet([...args, "--json"]);
  return { ...run, json: JSON.parse(run.out) };
}
