/** The commands about models as files: each does what it says, writes whole or not at all, and never over a file. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, type Workshop, workshop } from "../../test/command-line.ts";
import { fixture, missing } from "../../test/fixtures.ts";
import { expectSameOutputs } from "../../test/same-outputs.ts";
import { readNpz } from "../data/inner-files.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { lower } from "../quant/inner.ts";
import { planFromJson } from "../quant/inner-files.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

// biome-ignore lint/suspicious/noExplicitAny: what a document holds is what tests are about
async function json(...args: string[]): Promise<{ code: number; body: any }> {
  const { code, out } = await avocet([...args.map((arg) => arg.replace("$", shop.folder)), "--json"]);
  return { code, body: JSON.parse(out) };
}

const programs = join(import.meta.dirname, "../formats/pytorch/golden/archives.json.gz");

const old = `<ir_version: 7, opset_import: ["" : 11]> old (float[N,3,8,8] x) => (float[N,4] y)
  <float[4,3,3,3] w, float[4] g, float[4] b, float[4] m, float[4] v> {
    c = Conv <pads = [1,1,1,1]> (x, w)
    n = BatchNormalization (c, g, b, m, v)
    s = Sigmoid(n) t = Mul(n, s)
    p = GlobalAveragePool(t)
    y = Squeeze <axes = [2,3]> (p) }`;

describe("commands that write a model", () => {
  beforeAll(async () => {
    await shop.model("old.onnx", parseModel(old, { seed: 1, positive: ["v"] }));
  });

  test("optimize folds and keeps the opset and the outputs", async () => {
    const { code, body } = await json("optimize", "$/old.onnx", "-o", "$/optimized.onnx");
    expect(code).toBe(0);
    expect(body.before).toMatchObject({ opset: 11, nodes: 6 });
    expect(body.after).toMatchObject({ opset: 11, nodes: 5 });
    expect(body.after.operators).not.toHaveProperty("BatchNormalization");
    // Folding multiplies weights by the scale of the batch norm: another order of rounding.
    await expectSameOutputs(readModelFile(shop.at("old.onnx")), readModelFile(shop.at("optimized.onnx")), {
      atol: 1e-5,
      rtol: 1e-5,
    });
    const kept = await json("optimize", "$/old.onnx", "-o", "$/kept.onnx", "--keep-batch-norm", "--no-execute");
    expect(kept.body.after.operators).toHaveProperty("BatchNormalization", 1);
  });

  test("optimize writes recurrent layers out when asked", async () => {
    const text =
      "f (float[3,2,4] x) => (y) <float[1,20,4] w, float[1,20,5] r> { y = LSTM <hidden_size = 5> (x, w, r) }";
    await shop.model("lstm.onnx", parseModel(text, { seed: 1 }));
    const { body } = await json("optimize", "$/lstm.onnx", "-o", "$/unrolled.onnx", "--unroll", "4");
    expect(body.after.operators).not.toHaveProperty("LSTM");
    await expectSameOutputs(readModelFile(shop.at("lstm.onnx")), readModelFile(shop.at("unrolled.onnx")), {
      atol: 1e-5,
    });
  });

  test("upgrade raises the opset, and says so", async () => {
    const { body } = await json("upgrade", "$/old.onnx", "-o", "$/new.onnx");
    expect(body).toMatchObject({ from: 11, opset: 21 });
    await expectSameOutputs(readModelFile(shop.at("old.onnx")), readModelFile(shop.at("new.onnx")));
    const { code, body: refused } = await json("upgrade", "$/old.onnx", "-o", "$/newer.onnx", "--opset", "99");
    expect([code, refused.error.code]).toEqual([2, "usage/bad-value"]);
    expect(existsSync(shop.at("newer.onnx"))).toBe(false);
  });

  test("convert moves weights to files of their own; print and convert go through text and back", async () => {
    const { body } = await json("convert", "$/tiny.onnx", "-o", "$/outside.onnx", "--external", "always");
    expect(body.files).toHaveLength(2);
    const { code: taken, body: refused } = await json(
      "convert",
      "$/tiny.onnx",
      "-o",
      "$/outside.onnx",
      "--external",
      "always",
    );
    expect([taken, refused.error.code]).toEqual([2, "output/exists"]);
    expect((await json("inspect", "$/outside.onnx")).body).toMatchObject({
      dataFiles: [body.files[1]],
      bytes: body.bytes,
    });
    await json("print", "$/outside.onnx", "--full", "-o", "$/tiny.onnxtxt");
    await json("convert", "$/tiny.onnxtxt", "-o", "$/again.onnx");
    expect((await json("diff", "$/tiny.onnx", "$/again.onnx")).body).toEqual({ equal: true, differences: [] });
    shop.write("broken.onnxtxt", "tiny (float[2] x => (y) {}");
    const { code, body: broken } = await json("convert", "$/broken.onnxtxt", "-o", "$/broken.onnx");
    expect([code, broken.error.code]).toEqual([1, "text/syntax"]);
    expect(broken.error.at).toMatch(/broken\.onnxtxt:1:\d+$/);
    shop.write("weights.h5", "\x89HDF\r\n\x1a\n");
    const { code: unknown, body: other } = await json("convert", "$/weights.h5", "-o", "$/h5.onnx");
    expect([unknown, other.error.code]).toEqual([4, "import/unknown-format"]);
  });

  test("convert says where a model comes from and what became of it", async () => {
    const row = JSON.parse(gunzipSync(readFileSync(programs)).toString())["2.8.0"] as { readonly program: string };
    shop.write("net.pt2", Buffer.from(row.program, "hex"));
    const { body } = await json("convert", "$/net.pt2", "-o", "$/net.onnx");
    const made = readModelFile(shop.at("net.onnx"));
    const nodes = [...made.graph.nodes];
    expect(body).toMatchObject({
      from: { format: "pytorch-program", producer: expect.stringMatching(/^PyTorch 2\.8\.0/) },
      opset: 21,
      nodes: nodes.length,
      operators: { Conv: 1, BatchNormalization: 1 },
      transposes: nodes.filter(({ op }) => op === "Transpose").map(({ name }) => name),
      weights: { tensors: [...made.graph.initializers].length },
    });
    const program = Buffer.from(row.program, "hex").toString("latin1");
    expect(body.source.operators).toBe(program.match(/"target": "torch\.ops/g)!.length);
    const { out, err } = await avocet(["convert", shop.at("net.pt2"), "-o", shop.at("told.onnx")]);
    expect(err).toBe("");
    expect(out).toContain(`${body.source.operators} operators`);
    expect(out).toMatch(
      /^from +a PyTorch program.*\ngraph .* → \d+ nodes of opset 21\noperators .*Conv 1.*\ntransposes /s,
    );
    const { body: own } = await json("convert", "$/net.onnx", "-o", "$/own.onnx");
    expect(own).toMatchObject({ from: { format: "onnx" }, source: null });
  });

  test("extract cuts at inner values, whose types it finds", async () => {
    const { body } = await json("extract", "$/tiny.onnx", "--from", "r", "--to", "f", "-o", "$/part.onnx");
    expect(body).toMatchObject({ inputs: ["r"], outputs: ["f"], nodes: 2 });
    const part = readModelFile(shop.at("part.onnx"));
    expect(part.graph.inputs[0]!.type).toMatchObject({ dtype: "float32", shape: [null, 16, 6, 6] });
    const { code, body: none } = await json("extract", "$/tiny.onnx", "--to", "nowhere", "-o", "$/none.onnx");
    expect([code, none.error.code]).toEqual([1, "graph/not-found"]);
  });

  test.each(["optimize", "upgrade", "convert", "extract"])("%s does not write over a file", async (command) => {
    const before = readFileSync(shop.at("tiny.onnx"));
    const { code, body } = await json(command, "$/old.onnx", "-o", "$/tiny.onnx");
    expect([code, body.error.code]).toEqual([2, "output/exists"]);
    expect(readFileSync(shop.at("tiny.onnx")).equals(before)).toBe(true);
    const target = `$/${command}-target.onnx`;
    shop.write(`${command}-target.onnx`, "something else");
    const { code: other, body: kind } = await json(command, "$/old.onnx", "-o", target, "--force");
    expect([other, kind.error.code]).toEqual([2, "output/not-ours"]);
    expect(readFileSync(shop.at(`${command}-target.onnx`), "utf8")).toBe("something else");
    shop.write(`${command}-target.onnx`, before);
    expect((await json(command, "$/old.onnx", "-o", target, "--force")).code).toBe(0);
    expect(readFileSync(shop.at(`${command}-target.onnx`)).equals(before)).toBe(false);
    readModelFile(shop.at(`${command}-target.onnx`));
    const { body: nowhere } = await json(command, "$/old.onnx", "-o", "$/no/such/folder.onnx");
    expect(nowhere.error.code).toBe("output/not-writable");
  });
});

test("data files of others are not written over either", async () => {
  shop.write("mine.onnx.data", "precious");
  const { code, body } = await json("convert", "$/tiny.onnx", "-o", "$/mine.onnx", "--external", "always");
  expect(code).toBe(0);
  expect(body.files[1]).toMatch(/mine\.onnx\.[0-9a-f]{16}\.data$/);
  expect(readFileSync(shop.at("mine.onnx.data"), "utf8")).toBe("precious");
});

test("diff tells what changed, and is a gate when asked", async () => {
  const text = (op: string, pads: number, first: number) =>
    `f (float[1,1,4,4] x) => (y) <float[1,1,1,1] w = {${first}}, float[1] b = {1}> { c = Conv <pads = [${Array(4).fill(pads)}]> (x, w, b) y = ${op}(c) }`;
  await shop.model("a.onnx", parseModel(text("Relu", 0, 2)));
  await shop.model("b.onnx", parseModel(text("Sigmoid", 1, 2.5)));
  const { code, body } = await json("diff", "$/a.onnx", "$/b.onnx", "--expect-equal");
  expect(code).toBe(3);
  expect(body.differences).toEqual([
    { kind: "node", name: "c", change: "changed", detail: "pads [0,0,0,0] → [1,1,1,1]" },
    { kind: "node", name: "y", change: "changed", detail: "Relu(c) → Sigmoid(c)" },
    { kind: "constant", name: "w", change: "changed", detail: "1 of 1 numbers, by at most 0.5000" },
  ]);
  expect((await avocet(["diff", shop.at("a.onnx"), shop.at("a.onnx"), "--expect-equal"])).out).toBe("no difference\n");
});

test("run writes what the model computes on all samples", async () => {
  const { body } = await json("run", "$/tiny.onnx", "--data", "$/x.npy", "--batch", "7", "-o", "$/out.npz", "--quiet");
  expect(body).toMatchObject({ samples: 40, outputs: [{ name: "y", dtype: "float32", shape: [40, 5], notFinite: 0 }] });
  const { y } = await readNpz(readFileSync(shop.at("out.npz")));
  const labels = readFileSync(shop.at("y.npy")).subarray(-40);
  const numbers = y!.numbers();
  const best = Array.from({ length: 40 }, (_, n) => {
    const row = numbers.slice(5 * n, 5 * n + 5);
    return row.indexOf(Math.max(...row));
  });
  expect(best).toEqual([...labels]);
});

test("plan says what would be quantized and why, without data", async () => {
  const { body } = await json("plan", "$/tiny.onnx", "--weights", "int4", "--float", "Gemm");
  const weights = body.entries.filter((entry: { kind: string }) => entry.kind === "weight");
  expect(weights.map((w: { value: string; grid: { bits: number } }) => [w.value, w.grid.bits])).toEqual([["w1", 4]]);
  expect((await avocet(["plan", shop.at("tiny.onnx")])).out).toMatch(/^weight {5}int8 {4}per channel {2}w1: /m);
});

test("export gives the encodings of a folder in each version of the format", async () => {
  const made = await json("quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/q", "--preset", "fast", "--quiet");
  expect(made.code).toBe(0);
  expect((await json("export", "$/q", "-o", "$/q-1.encodings")).code).toBe(0);
  expect(shop.json("q-1.encodings")).toEqual(shop.json("q", "model.encodings"));
  // The float model that they belong to stands next to them, once for all versions.
  expect(readFileSync(shop.at("float.onnx"))).toEqual(readFileSync(shop.at("q", "float.onnx")));
  for (const version of ["0.6.1", "2.0.0"]) {
    await json("export", "$/q", "-o", `$/${version}.encodings`, "--encodings", version);
    expect(shop.json(`${version}.encodings`).version).toBe(version);
  }
  // Another float model in its place is not overwritten.
  rmSync(shop.at("float.onnx"));
  await shop.model("float.onnx", parseModel(old, { seed: 1 }));
  const refused = await json("export", "$/q", "-o", "$/again.encodings");
  expect([refused.code, refused.body.error.code]).toEqual([2, "output/exists"]);
  expect((await json("export", "$/q", "-o", "$/again.encodings", "--force")).code).toBe(0);
  expect(readFileSync(shop.at("float.onnx"))).toEqual(readFileSync(shop.at("q", "float.onnx")));
  rmSync(shop.at("q", "float.onnx"));
  const lacking = await json("export", "$/q", "-o", "$/old.encodings");
  expect([lacking.code, lacking.body.error.code]).toEqual([1, "import/not-found"]);
});

test("float.onnx holds the weights that the methods decided: lowered by the plan, it is what ships", async () => {
  const options = ["--weights", "int4", "--data", "$/x.npy", "--quiet", "-o", "$/decided"];
  expect((await json("quantize", "$/tiny.onnx", ...options)).code).toBe(0);
  const float = readModelFile(shop.at("decided", "float.onnx"));
  const plan = planFromJson(readFileSync(shop.at("decided", "plan.json"), "utf8"));
  const shipped = readModelFile(shop.at("decided", "model.onnx"));
  const integers = (model: Model) =>
    new Map([...model.graph.initializers].map(({ name, initializer }) => [name, [...initializer!.numbers()]]));
  expect(integers(lower(float, plan).model)).toEqual(integers(shipped));
});

test("what a version of the format cannot say is refused with the way out", async () => {
  const made = ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/odd", "--preset", "fast", "--quiet"];
  expect((await json(...made, "--weights", "int3")).code).toBe(0);
  const { code, body } = await json("export", "$/odd", "-o", "$/odd.encodings", "--encodings", "2.0.0", "--force");
  expect([code, body.error.code]).toEqual([1, "quant/unsupported-encodings"]);
  expect(body.error.hint).toContain("--format 1.0.0");
});

test("doctor asks each runtime to compute something", async () => {
  const { code, body } = await json("doctor");
  expect(code).toBe(0);
  expect(body.runtimes[0]).toMatchObject({ name: "ort-node", works: true });
  expect(body.runtimes[0].providers).toContain("cpu");
  expect(body.browsers).toBeInstanceOf(Array);
  expect(body.node).toBe(process.versions.node);
});

/**
 * Published figures: MobileNetV1 0.25 has 475,544 parameters in Keras (applications/mobilenet.py) and 41 M multiply-adds
 * (Howard et al. 2017, table 6). ResNet-20 and ResNet-56 have 0.27 M and 0.85 M parameters (He et al. 2016, table 6),
 * here with the running statistics of their batch norms, 41 M and 126 M multiply-adds (akamaster/pytorch_resnet_cifar10).
 */
const published: Record<string, [parameters: number, megaMacs: number]> = {
  "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx": [475_544, 41],
  "resnet-cifar10-akamaster/resnet20.onnx": [269_722 + 1_376, 41],
  "resnet-cifar10-akamaster/resnet56.onnx": [853_018 + 4_064, 125],
};
describe("inspect agrees with published figures", () => {
  test.for(Object.entries(published))("%s", async ([name, [parameters, megaMacs]], { skip }) => {
    const why = missing(name);
    if (why) skip(why);
    const { body } = await json("inspect", fixture(name));
    expect(body.parameters).toBe(parameters);
    expect(Math.round(body.macs / 1e6)).toBe(megaMacs);
    expect(body.peakActivations.bytes).toBeGreaterThan(0);
    expect(body.unknownOperators).toEqual([]);
    // All that these networks multiply is in their layers.
    expect(body.layers.reduce((sum: number, { macs }: { macs: number }) => sum + macs, 0)).toBe(body.macs);
  });
});
