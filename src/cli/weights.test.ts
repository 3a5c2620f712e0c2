/** `avocet weights` and `avocet inspect` on files of weights: listed, placed by name, whole or not at all. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocet, type Workshop, workshop } from "../../test/command-line.ts";
import { root } from "../../test/source-files.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { parseModel } from "../ir/inner.ts";

let shop: Workshop;
let numbers: Record<string, { values: number[] }>;
beforeAll(async () => {
  shop = await workshop();
  const goldens = JSON.parse(readFileSync(join(root, "src/formats/pytorch/golden/weights.json"), "utf8"));
  writeFileSync(shop.at("w.pth"), Buffer.from(goldens.checkpoint.file, "base64"));
  writeFileSync(shop.at("object.pth"), Buffer.from(goldens.object.file, "base64"));
  numbers = goldens.checkpoint.tensors;
  const net = (width: number) =>
    parseModel(
      `f (float[n,3] x) => (float[n,4] y) <float[${width},3] "first.weight", float[${width}] "first.bias"> {
         y = Gemm <transB = 1> (x, "first.weight", "first.bias") }`,
      { seed: 1 },
    );
  await shop.model("net.onnx", net(4));
  await shop.model("wide.onnx", net(5));
});
afterAll(() => shop[Symbol.dispose]());
const run = (...args: string[]) => avocet(args.map((arg) => arg.replace("$", shop.folder)));

test("inspect lists them", async () => {
  const { code, out } = await run("inspect", "$/w.pth");
  expect(code).toBe(0);
  expect(out).toMatch(/^9 tensors\nmodule\.first\.weight: float32\[4, 3\]\n/);
  const { out: json } = await run("inspect", "$/w.pth", "--json");
  expect(JSON.parse(json).tensors[0]).toEqual({ name: "module.first.weight", dtype: "float32", shape: [4, 3] });
});

test("weights places them and lists what did not match", async () => {
  const { code, out } = await run("weights", "$/net.onnx", "--from", "$/w.pth", "-o", "$/tuned.onnx");
  expect(code).toBe(0);
  expect(out).toMatch(/^2 of 9 tensors are placed, without "module\."\.\nin the file alone: module\.norm\.weight/);
  const placed = [...readModelFile(shop.at("tuned.onnx")).graph.initializers];
  for (const { name, initializer } of placed) {
    expect(initializer!.numbers()).toEqual(numbers[`module.${name}`]!.values);
  }
});

test.each([
  ["another shape", "$/wide.onnx", "$/w.pth", /usage\/bad-value.*float32\[5,3\] in the model, float32\[4,3\]/s],
  ["a pickle of an object", "$/net.onnx", "$/object.pth", /import\/unknown-format.*__main__\.Net/s],
  ["a model for weights", "$/net.onnx", "$/net.onnx", /import\/unknown-format.*file of weights/s],
])("%s is refused, and nothing is written", async (_, model, from, problem) => {
  const { code, err } = await run("weights", model, "--from", from, "-o", "$/none.onnx");
  expect(code).not.toBe(0);
  expect(err).toMatch(problem);
  expect(existsSync(shop.at("none.onnx"))).toBe(false);
});
