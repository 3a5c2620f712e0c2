/** `avocet observe`, and `quantize --statistics` where the data cannot go. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";

const text = `<ir_version: 10, opset_import: ["" : 21]> net (float[N,16] x) => (float[N,8] y)
  <float[16,32] w, float[32] b, float[32,8] v> { m = MatMul(x, w) a = Add(m, b) r = Relu(a) y = MatMul(r, v) }`;

let shop: Workshop;
const random = new Random(3);
const x = Tensor.float32(
  [60, 16],
  Float32Array.from({ length: 960 }, () => random.normal()),
);
beforeAll(async () => {
  shop = await workshop();
  shop.npy("x.npy", x);
  await shop.model("net.onnx", parseModel(text, { seed: 4 }));
  const run = await avocet(["observe", shop.at("net.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("seen.json")]);
  expect(run.code, run.err).toBe(0);
  expect(run.out).toMatch(/what was seen of \d+ values, over 60 samples/);
});
afterAll(() => shop[Symbol.dispose]());

const quantize = (name: string, ...rest: string[]) =>
  avocetJson(["quantize", shop.at("net.onnx"), "-o", shop.at(name), "--quiet", ...rest]);

async function outputs(file: string): Promise<number[]> {
  await using session = await (await openRuntime()).open(shop.at(file), { threads: 1 });
  return (await session.run({ x })).y!.numbers();
}

test("ranges come from the file: the result is as near to float as with the data", async () => {
  const statistics = ["--statistics", shop.at("seen.json")];
  expect((await quantize("without", ...statistics)).code).toBe(0);
  expect((await quantize("with", "--data", shop.at("x.npy"), "--preset", "fast")).code).toBe(0);
  const noise = async (file: string) => {
    const [float, narrow] = [await outputs("net.onnx"), await outputs(file)];
    return float.reduce((sum, y, i) => sum + (y - narrow[i]!) ** 2, 0) / float.reduce((sum, y) => sum + y * y, 0);
  };
  const [without, given] = [await noise("without/model.onnx"), await noise("with/model.onnx")];
  expect(given).toBeLessThan(1e-3);
  expect(without).toBeLessThan(1.5 * given);
  const { statistics: named, preset } = shop.json("without", "recipe.json");
  expect([named, preset]).toEqual([shop.at("seen.json"), "fast"]);
  expect(shop.json("without", "report.json").settings.calibration).toBe("sqnr, from statistics");
  const judged = await quantize("judged", ...statistics, "--data", shop.at("x.npy"));
  expect(judged.code).toBe(0);
  expect(await outputs("judged/model.onnx")).toEqual(await outputs("without/model.onnx"));
});

test("methods and values that the file lacks are refused", async () => {
  const method = await quantize("no", "--statistics", shop.at("seen.json"), "--method", "bias-correction");
  expect([method.code, method.json.error.code]).toEqual([2, "recipe/invalid"]);
  expect(method.json.error.message).toMatch(/expected no methods next to statistics, got bias-correction/);
  const { values, ...rest } = shop.json("seen.json");
  const { x: _, ...others } = values;
  shop.write("part.json", JSON.stringify({ ...rest, values: others }));
  const part = await quantize("no", "--statistics", shop.at("part.json"));
  expect(part.json.error).toMatchObject({
    code: "quant/not-calibrated",
    message: expect.stringMatching(/got none for x/),
  });
  shop.write("bad.json", "[]");
  const bad = await quantize("no", "--statistics", shop.at("bad.json"));
  expect([bad.code, bad.json.error.code]).toEqual([1, "quant/invalid-statistics"]);
});

test("a file of statistics is replaced by its kind alone", async () => {
  const args = ["observe", shop.at("net.onnx"), "--data", shop.at("x.npy"), "--samples", "10", "--quiet"];
  const again = await avocetJson([...args, "-o", shop.at("seen.json")]);
  expect(again.json.error.code).toBe("output/exists");
  const forced = await avocetJson([...args, "-o", shop.at("seen.json"), "--force"]);
  expect(forced.json).toMatchObject({ samples: 10 });
  const other = await avocetJson([...args, "-o", shop.at("net.onnx"), "--force"]);
  expect(other.json.error.code).toBe("output/is-input");
});
