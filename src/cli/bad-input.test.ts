/** Every bad input has its own code, its exit code, both forms of the error, and leaves nothing behind. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, tinyText, type Workshop, workshop } from "../../test/command-line.ts";
import { parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  const model = readFileSync(shop.at("tiny.onnx"));
  shop.write("truncated.onnx", model.subarray(0, model.length >> 1));
  shop.write("garbage.onnx", "this is no model at all, it is a sentence");
  await shop.model("nan.onnx", parseModel(tinyText.replace("(f, w2)", "(s, w2)").replace("[gemm]", "[root] s = Sqrt(n)\n [gemm]").replace("[root]", "[neg] n = Sub(f, b3)\n [root]").replace("float[5,16] w2", "float[5,16] w2, float[16] b3 = {9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9}"), { seed: 2 })); // biome-ignore format: one edit after the other
  await shop.model("nothing.onnx", parseModel('<ir_version: 10, opset_import: ["" : 21]> f (int64[N,8,6,6] x) => (int64[N,8,6,6] y) { y = Neg(x) }')); // biome-ignore format: a text
  shop.npy("wide.npy", Tensor.float32([4, 8, 6, 7], new Float32Array(4 * 336)));
  shop.npy("int.npy", Tensor.of("int32", [4, 8, 6, 6], new Int32Array(4 * 288)));
  shop.npy("nan.npy", Tensor.float32([4, 8, 6, 6], new Float32Array(4 * 288).fill(Number.NaN)));
  shop.npy("short.npy", Tensor.of("uint8", [7], new Uint8Array(7)));
  shop.npy("foreign.npy", Tensor.of("uint8", [40], new Uint8Array(40).fill(9)));
  mkdirSync(shop.at("photos"));
  shop.write("photos/broken.png", "not a picture");
  mkdirSync(shop.at("empty"));
  mkdirSync(shop.at("taken"));
  shop.write("taken/precious.txt", "mine");
  shop.write("broken.json", "{ not json");
  shop.write("wrong-recipe.json", '{ "targte": "ort-cpu", "samples": 0 }');
  shop.write("null.json", "null");
  shop.write("list.json", "[1]");
  const deep = "[".repeat(20_000) + "]".repeat(20_000);
  shop.write("deep-recipe.json", `{ "float": ${deep} }`);
  shop.write("deep-target.json", `{ "defaults": ${deep} }`);
  shop.write("recipe-deep-target.json", `{ "target": { "a": ${deep} } }`);
  shop.write("pictures.json", '{ "scale": "1/255" }');
  shop.write("words.txt", "cat\ndog\n");
  shop.write("ids.jsonl", "[1, 2]\n");
  const made = await avocet([
    "quantize",
    shop.at("tiny.onnx"),
    "--data",
    shop.at("x.npy"),
    "-o",
    shop.at("done"),
    "--quiet",
  ]);
  expect(made.code, made.err).toBe(0);
});
afterAll(() => shop[Symbol.dispose]());

const quantize = (...rest: string[]) => ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", ...rest];
const model = (name: string) => ["quantize", `$/${name}`, "--data", "$/x.npy", "-o", "$/out"];
const fed = (data: string, ...rest: string[]) => [
  "quantize",
  "$/tiny.onnx",
  "--data",
  `$/${data}`,
  "-o",
  "$/out",
  ...rest,
];
const judged = (...rest: string[]) => ["evaluate", "$/tiny.onnx", "--data", "$/x.npy", ...rest];

const cases: Record<string, [args: string[], code: string, exit: number, message?: RegExp]> = {
  "no data": [["quantize", "$/tiny.onnx", "-o", "$/out"], "data/none", 1, /never makes up data/],
  "data that is not there": [fed("nowhere.npy"), "data/not-found", 1],
  "an empty folder": [fed("empty"), "data/none", 1],
  "wrong shape": [fed("wide.npy"), "data/wrong-shape", 1, /6/],
  "wrong dtype": [fed("int.npy"), "data/wrong-dtype", 1],
  "NaN in the data": [fed("nan.npy"), "data/not-finite", 1],
  "an unreadable picture": [fed("photos", "--preprocess", "$/pictures.json"), "data/unreadable", 1, /broken\.png/],
  "pictures without preprocessing": [fed("photos"), "usage/missing", 2, /preprocess/],
  "an empty part of the data": [fed("x.npy?skip=99"), "data/none", 1],
  "a part that is none": [fed("x.npy?evry=5"), "usage/bad-value", 2],
  "a missing model": [model("nowhere.onnx"), "import/not-found", 1],
  "a folder as a model": [model("empty"), "import/not-found", 1],
  "a truncated model": [model("truncated.onnx"), "import/truncated", 1],
  "no model": [model("garbage.onnx"), "import/unknown-format", 4],
  "an already quantized model": [model("done/model.onnx"), "quant/already-quantized", 4],
  "a model with nothing to quantize": [
    ["quantize", "$/nothing.onnx", "--data", "$/x.npy", "-o", "$/out"],
    "data/wrong-dtype",
    1,
  ],
  "activations that are all NaN": [model("nan.onnx"), "data/not-finite", 1, /Sqrt root/],
  "an unknown target": [quantize("--target", "ort-gpu"), "target/unknown", 2, /ort-cpu/],
  "a target file that is none": [quantize("--target", "$/pictures.json"), "target/invalid", 2],
  "an unknown grid": [quantize("--weights", "int17"), "quant/unknown-grid", 2],
  "an unknown granularity": [quantize("--granularity", "row"), "recipe/invalid", 2, /tensor, channel or block/],
  "an unknown calibration": [quantize("--calibration", "magic"), "recipe/invalid", 2, /sqnr/],
  "an unknown preset": [quantize("--preset", "fancy"), "recipe/invalid", 2, /fast/],
  "a selector of nothing": [quantize("--float", "convolutoin"), "quant/no-such-value", 2],
  "everything kept in float": [
    quantize("--float", "Conv", "--float", "Gemm", "--float", "/./"),
    "quant/nothing-to-quantize",
    4,
  ],
  "a broken regular expression": [quantize("--float", "/(/"), "usage/bad-value", 2],
  "nonsense for --samples": [quantize("--samples", "many"), "usage/bad-value", 2, /spread evenly/],
  "no samples": [quantize("--samples", "0"), "recipe/invalid", 2],
  "an output under a file": [
    ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/x.npy/out"],
    "output/not-writable",
    1,
  ],
  "an output that exists": [
    ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/taken"],
    "output/exists",
    2,
    /--force/,
  ],
  "no output": [["quantize", "$/tiny.onnx", "--data", "$/x.npy"], "usage/missing", 2],
  "a recipe that is no JSON": [quantize("--recipe", "$/broken.json"), "usage/bad-value", 2, /JSON/],
  "a recipe that is null": [quantize("--recipe", "$/null.json"), "recipe/invalid", 2, /expected an object.*got null/],
  "a recipe that is a list": [
    quantize("--recipe", "$/list.json"),
    "recipe/invalid",
    2,
    /expected an object.*got \[1\]/,
  ],
  "a recipe of 20,000 levels": [quantize("--recipe", "$/deep-recipe.json"), "usage/bad-value", 2, /80 levels/],
  "a target of 20,000 levels": [quantize("--target", "$/deep-target.json"), "usage/bad-value", 2, /80 levels/],
  "a target of 20,000 levels in a recipe": [
    quantize("--recipe", "$/recipe-deep-target.json"),
    "usage/bad-value",
    2,
    /80 levels/,
  ],
  "preprocessing of 20,000 levels": [quantize("--preprocess", "$/deep-target.json"), "usage/bad-value", 2, /80 levels/],
  "a recipe with faults": [
    quantize("--recipe", "$/wrong-recipe.json"),
    "recipe/invalid",
    2,
    /targte[\s\S]*samples|samples[\s\S]*targte/,
  ],
  "preprocessing that is no JSON": [quantize("--preprocess", "$/broken.json"), "usage/bad-value", 2],
  "preprocessing that is not there": [quantize("--preprocess", "$/nowhere.json"), "import/not-found", 1],
  "a drop without a score": [quantize("--max-drop", "0.1"), "usage/missing", 2, /--evaluate/],
  "a fraction above one": [quantize("--min-agreement", "99"), "usage/bad-value", 2],
  "a negative seed": [quantize("--seed", "-1"), "usage/bad-value", 2],
  "a runtime that is none": [quantize("--runtime", "tflite"), "usage/bad-value", 2],
  "an unknown option": [quantize("--granulraity", "tensor"), "usage/unknown-option", 2, /granularity/],
  "an unknown option, and none that is needed": [
    ["quantize", "$/tiny.onnx", "--dta", "$/x.npy"],
    "usage/unknown-option",
    2,
    /--dta[\s\S]*--data/,
  ],
  "an unknown command": [["quantise", "$/tiny.onnx"], "usage/unknown-option", 2, /quantize/],
  "help for an unknown command": [["help", "quantise"], "usage/unknown-option", 2, /did you mean quantize/],
  "an unknown method": [quantize("--method", "adaruond"), "recipe/invalid", 2, /did you mean adaround/],
  "an unknown option of a method": [
    quantize("--method", "adaround:itrations=3"),
    "recipe/invalid",
    2,
    /did you mean iterations/,
  ],
  "an unknown preset beside its neighbours": [quantize("--preset", "fsat"), "recipe/invalid", 2, /did you mean fast/],
  "an unknown format of encodings": [
    ["export", "$/done", "-o", "$/e.json", "--format", "3.0.0"],
    "usage/bad-value",
    2,
    /0\.6\.1/,
  ],
  "labels that judge nothing": [
    quantize("--labels", "$/y.npy"),
    "usage/missing",
    2,
    /--evaluate DATA next to --labels/,
  ],
  "samples that judge nothing": [quantize("--evaluate-samples", "3"), "usage/missing", 2, /--evaluate/],
  "pixels left out of top-1": [judged("--labels", "$/y.npy", "--ignore-label", "1"), "usage/missing", 2, /miou/],
  "a preset beside methods": [quantize("--preset", "fast", "--method", "gptq"), "usage/missing", 2, /either --method/],
  "shards without files of weights": [
    ["convert", "$/tiny.onnx", "-o", "$/o.onnx", "--external", "never", "--shard-bytes", "9"],
    "usage/missing",
    2,
    /--external/,
  ],
  "force without a file": [["plan", "$/tiny.onnx", "--force"], "usage/missing", 2, /-o FILE/],
  "a window of an array": [fed("x.npy?length=4"), "usage/bad-value", 2, /length is of tokens, texts and audio/],
  "preprocessing of token ids": [fed("ids.jsonl", "--preprocess", "$/pictures.json"), "usage/bad-value", 2, /token/],
  "an empty output": [["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", ""], "usage/bad-value", 2, /--output/],
  "an empty model": [["inspect", ""], "usage/bad-value", 2, /model/],
  "an empty item of a list": [quantize("--float", ""), "usage/bad-value", 2, /--float/],
  "a bad value names its option": [quantize("--threads", "0"), "usage/bad-value", 2, /--threads/],
  "no model at all": [["inspect"], "usage/missing", 2],
  "no labels": [judged(), "data/labels", 1],
  "labels of the wrong count": [
    judged("--labels", "$/short.npy"),
    "data/labels",
    1,
    /40 labels.*got 7 .*short\.npy[\s\S]*x\.npy/,
  ],
  "labels beyond the classes": [judged("--labels", "$/foreign.npy"), "data/labels", 1, /below 5.*foreign\.npy/],
  "labels that are no labels": [judged("--labels", "$/broken.json"), "data/unreadable", 1],
  "an unknown metric": [judged("--labels", "$/y.npy", "--metric", "f1"), "usage/bad-value", 2, /miou/],
  "a metric that the labels do not fit": [judged("--labels", "$/y.npy", "--metric", "miou"), "data/labels", 1],
  "wrong labels beside quantize": [quantize("--evaluate", "$/x.npy", "--labels", "$/short.npy"), "data/labels", 1],
  "a folder that no run made": [["verify", "$/empty"], "import/not-found", 1],
  "a report of nothing": [["report", "$/empty", "-o", "$/page.html"], "import/not-found", 1],
  "a report of something else": [["report", "$/mixed", "-o", "$/page.html"], "import/malformed", 1],
  "a report on a file that exists": [["report", "$/done", "-o", "$/x.npy"], "output/exists", 2],
  "a report under a file": [["report", "$/done", "-o", "$/x.npy/page.html"], "output/not-writable", 1],
  "a target that inspect does not know": [["inspect", "$/tiny.onnx", "--target", "ort-gpu"], "target/unknown", 2],
};

describe("bad input", () => {
  beforeAll(() => {
    mkdirSync(shop.at("mixed"));
    shop.write("mixed/report.json", '{ "version": 7 }');
  });

  for (const [name, [args, code, exit, message]] of Object.entries(cases)) {
    test(`${name}: ${code}, exit ${exit}`, async () => {
      const real = args.map((arg) => arg.replace("$", shop.folder));
      const before = shop.listing();
      const run = await avocet([...real, "--json"]);
      expect(run.out.trim().split("\n")).toHaveLength(1);
      const { error, ...rest } = JSON.parse(run.out);
      expect({ code: error.code, exit: run.code }, `${error.message} (${error.at}) ${error.hint}`).toEqual({
        code,
        exit,
      });
      expect(rest).toEqual({});
      expect(Object.keys(error).sort()).toEqual(["at", "code", "hint", "message"]);
      if (message) expect(`${error.message} ${error.at} ${error.hint}`).toMatch(message);
      // People get words without --json, on stderr alone, and never a stack trace.
      const plain = await avocet(real);
      expect([plain.code, plain.out]).toEqual([exit, ""]);
      expect(plain.err).not.toMatch(/\n\s+at |internal:/);
      expect(plain.err.length).toBeGreaterThan(20);
      expect(shop.listing()).toEqual(before);
    });
  }

  test("no command shows what there is", async () => {
    const run = await avocet([]);
    expect([run.code, run.out]).toEqual([2, ""]);
    for (const command of ["inspect", "quantize", "evaluate", "compare", "verify", "report"])
      expect(run.err).toContain(command);
  });

  test("only --force replaces a folder, and only one that Avocet made", async () => {
    const args = ["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("taken"), "--quiet"];
    const strange = await avocet([...args, "--force"]);
    expect([strange.code, strange.err]).toEqual([2, expect.stringContaining("output/not-ours")]);
    expect(readFileSync(shop.at("taken", "precious.txt"), "utf8")).toBe("mine");
    rmSync(shop.at("taken"), { recursive: true });
    expect((await avocet(args)).code).toBe(0);
    expect((await avocet([...args, "--force", "--calibration", "minmax"])).code).toBe(0);
    expect(shop.json("taken", "recipe.json").calibration).toBe("minmax");
  });

  test("a failure under --force leaves the old folder as it was", async () => {
    const before = shop.listing();
    const args = [
      "quantize",
      shop.at("nan.onnx"),
      "--data",
      shop.at("x.npy"),
      "-o",
      shop.at("done"),
      "--force",
      "--quiet",
    ];
    expect((await avocet(args)).code).toBe(1);
    expect(shop.listing()).toEqual(before);
  });
});
