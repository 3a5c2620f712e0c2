/** Models that declare, store or compute in unusual ways: `inspect` and `quantize` say the same of them. */
import { mkdirSync } from "node:fs";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { fieldCase, missing } from "../../test/fixtures.ts";
import { Random } from "../base/inner.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

const head = '<ir_version: 10, opset_import: ["" : 17]>';

interface Expected {
  /** What both commands refuse with, or the weights that a plan has. */
  readonly refused?: RegExp;
  readonly weights?: number;
  readonly parameters: number;
  readonly macs?: number | null;
  /** What `inspect` reports besides. */
  readonly tells?: Record<string, unknown>;
  readonly options?: readonly string[];
  /** The type of the shipped file's first output. */
  readonly output?: readonly (number | string)[];
}

const models: Record<string, [text: string, Expected]> = {
  "double precision": [
    "f (double[N,8] x) => (double[N,16] y) <double[8,16] w> { y = MatMul(x, w) }",
    { refused: /double precision/, parameters: 128 },
  ],
  "double precision behind a float input": [
    "f (float[N,8] x) => (float[N,16] y) <double[8,16] w> { d = Cast <to = 11> (x)  e = MatMul(d, w)  y = Cast <to = 1> (e) }",
    { refused: /double precision/, parameters: 128 },
  ],
  "half precision": [
    "f (float16[N,8] x) => (float16[N,16] y) <float16[8,16] w> { y = MatMul(x, w) }",
    { weights: 1, parameters: 128 },
  ],
  "bfloat16 weights in the majority": [
    "f (float[N,8] x) => (float[N,16] y) <bfloat16[8,16] w> { b = Cast <to = 16> (x)  e = MatMul(b, w)  y = Cast <to = 1> (e) }",
    { weights: 1, parameters: 128 },
  ],
  "weights that are stored in half precision and widened": [
    "f (float[N,8] x) => (float[N,16] y) <float16[8,16] w> { v = Cast <to = 1> (w)  a = MatMul(x, v)  y = Relu(a) }",
    { weights: 1, parameters: 128, macs: 128 },
  ],
  "double weights that are rounded to float": [
    "f (float[N,8] x) => (float[N,16] y) <double[8,16] w> { v = Cast <to = 1> (w)  a = MatMul(x, v)  y = Relu(a) }",
    { weights: 1, parameters: 128 },
  ],
  "weights in Constant nodes, transposed and reshaped": [
    `f (float[N,2] x) => (float[N,3] y) <int64[2] s = {2, -1}> {
      w = Constant <value = float[6] {1, 2, 3, 4, 5, 6.5}> ()
      i = Identity(w)
      r = Constant <value_ints = [3, 2]> ()
      a = Reshape(i, r)
      t = Transpose <perm = [1, 0]> (a)
      m = MatMul(x, t)
      y = Relu(m) }`,
    { weights: 1, parameters: 6, macs: 6 },
  ],
  "everything in the branches of an If": [
    `f (float[1,8] x, bool c) => (float[1,16] y) {
      y = If (c) <
        then_branch = t () => (float[1,16] a) <float[8,16] w> { a = MatMul(x, w) },
        else_branch = e () => (float[1,16] b) <float[8,16] v> { n = MatMul(x, v)  b = Relu(n) }> }`,
    {
      refused: /bodies of If/,
      parameters: 256,
      macs: null,
      tells: { quantizable: expect.objectContaining({ inBodies: { If: 2 } }) },
      options: ["--constant", "c=1"],
    },
  ],
  "a layer before an If with layers": [
    `f (float[1,8] x, bool c) => (float[1,4] y) <float[8,16] w> {
      m = MatMul(x, w)
      h = Relu(m)
      y = If (c) <
        then_branch = t () => (float[1,4] a) <float[16,4] v> { a = MatMul(h, v) },
        else_branch = e () => (float[1,4] b) <float[16,4] v> { b = MatMul(h, v) }> }`,
    {
      weights: 1,
      parameters: 256,
      tells: { quantizable: expect.objectContaining({ inBodies: { If: 2 } }) },
      options: ["--constant", "c=1"],
    },
  ],
  "a value without elements": [
    `f (float[N,8] x) => (float[N,4] y) <float[8,16] w, float[16,4] v, float[1] k, int64[1] s = {0}, int64[1] a = {1}> {
      m = MatMul(x, w)
      r = Relu(m)
      z = Slice(r, s, s, a)
      e = Mul(z, k)
      c = Concat <axis = 1> (r, e)
      y = MatMul(c, v) }`,
    { parameters: 193 },
  ],
  "a weight without elements": [
    `f (float[N,8] x) => (float[N,16] y, float[N,0] z) <float[8,16] w, float[8,0] v> {
      m = MatMul(x, w)  y = Relu(m)  z = MatMul(x, v) }`,
    { weights: 1, parameters: 128 },
  ],
  "an output of another rank than declared": [
    "f (float[N,8] x) => (float[N,4,4] y) <float[8,16] w> { m = MatMul(x, w)  y = Relu(m) }",
    {
      weights: 1,
      parameters: 128,
      tells: { contradictions: [{ output: "y", declared: ["N", 4, 4], found: ["N", 16] }] },
      output: ["N", 16],
    },
  ],
  "an output of another length than declared": [
    "f (float[N,8] x) => (float[N,12] y) <float[8,16] w> { m = MatMul(x, w)  y = Relu(m) }",
    {
      weights: 1,
      parameters: 128,
      tells: { contradictions: [{ output: "y", declared: ["N", 12], found: ["N", 16] }] },
      output: ["N", 16],
    },
  ],
};

/** `inspect` takes no --threads. */
// biome-ignore lint/suspicious/noExplicitAny: what a document holds is what tests are about
async function inspected(path: string): Promise<{ readonly code: number; readonly json: any }> {
  const { code, out } = await avocet(["inspect", path, "--json"]);
  return { code, json: JSON.parse(out) };
}

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  const random = new Random(3);
  for (const [width, dtype] of [
    [8, "float32"],
    [2, "float32"],
  ] as const)
    shop.npy(
      `x${width}.npy`,
      Tensor.of(
        dtype,
        [12, width],
        Float32Array.from({ length: 12 * width }, () => random.normal()),
      ),
    );
});
afterAll(() => shop[Symbol.dispose]());

describe.each(Object.entries(models))("%s", (name, [text, wanted]) => {
  const file = () => shop.at(`${name.replace(/\W+/g, "-")}.onnx`);
  beforeAll(async () => {
    await shop.model(`${name.replace(/\W+/g, "-")}.onnx`, parseModel(`${head} ${text}`, { seed: 4 }));
  });

  test("inspect", async () => {
    const { code, json } = await inspected(file());
    expect(code).toBe(0);
    expect(json.parameters).toBe(wanted.parameters);
    if (wanted.macs !== undefined) expect(json.macs).toBe(wanted.macs);
    if (wanted.refused) expect(json.quantizable.refused).toMatch(wanted.refused);
    else expect(json.quantizable.refused).toBeUndefined();
    if (wanted.weights !== undefined) expect(json.quantizable.weights).toBe(wanted.weights);
    expect(json).toMatchObject(wanted.tells ?? {});
  });

  test("quantize says the same", async () => {
    const width = /\[[N1],(\d)\] x/.exec(text)![1];
    const dir = shop.at("out");
    const args = [
      "quantize",
      file(),
      "--data",
      shop.at(`x${width}.npy`),
      "-o",
      dir,
      "--force",
      "--quiet",
      "--preset",
      "fast",
    ];
    const run = await avocetJson([...args, ...(wanted.options ?? [])]);
    if (wanted.refused) {
      expect(run.code).toBe(4);
      expect(run.json.error.message).toMatch(wanted.refused);
      expect(run.json.error.hint).not.toBeNull();
      return;
    }
    expect(run.code, run.err).toBe(0);
    const plan = shop.json("out", "plan.json");
    const weights = plan.entries.filter((entry: { kind: string }) => entry.kind === "weight");
    if (wanted.weights !== undefined) expect(weights).toHaveLength(wanted.weights);
    const [output] = readModelFile(shop.at("out", "model.onnx")).graph.outputs;
    if (wanted.output) expect(output!.type).toMatchObject({ shape: wanted.output });
  });
});

test.skipIf(missing("float64"))("the case of the field in double precision", async () => {
  const at = (name: string) => fieldCase(`float64/${name}`);
  const seen = await inspected(at("model.onnx"));
  expect(seen.json.quantizable.refused).toMatch(/double precision/);
  const made = await avocetJson(["quantize", at("model.onnx"), "--data", at("x.npy"), "-o", shop.at("out64")]);
  expect([made.code, made.json.error.code]).toEqual([4, "quant/unsupported-model"]);
});

test("pictures of several sizes for a model with free height and width go one by one", async () => {
  const text = `f (float[N,3,H,W] x) => (float[N,4] y) <float[8,3,3,3] w, float[8,4] v> {
    c = Conv <pads = [1,1,1,1]> (x, w)  r = Relu(c)  p = GlobalAveragePool(r)  f = Flatten(p)  y = MatMul(f, v) }`;
  await shop.model("sizes.onnx", parseModel(`${head} ${text}`, { seed: 2 }));
  mkdirSync(shop.at("sizes"));
  for (const [i, [width, height]] of [
    [12, 9],
    [16, 16],
    [12, 9],
    [9, 20],
    [14, 14],
  ].entries()) {
    const data = Uint8Array.from({ length: width! * height! * 3 }, (_, k) => (k * 37 + i * 11) % 256);
    shop.write(`sizes/p${i}.png`, encode({ width: width!, height: height!, data, channels: 3, depth: 8 }));
  }
  shop.write("scale.json", '{ "scale": "1/255" }');
  const given = ["--data", shop.at("sizes"), "--preprocess", shop.at("scale.json"), "--quiet", "--batch", "4"];
  const run = await avocetJson(["run", shop.at("sizes.onnx"), ...given]);
  expect(run.json.outputs[0].shape).toEqual([5, 4]);
  const made = await avocetJson(["quantize", shop.at("sizes.onnx"), ...given, "-o", shop.at("sized")]);
  expect(made.code, made.err).toBe(0);
});
