/**
 * Every kind of output through every command that judges: a finished model is never lost, shares of equal decisions are told of classes
 * alone, and what could not be judged is said in summary, report and JSON.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { main } from "../src/cli/program.ts";
import { parseModel } from "../src/ir/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocet, avocetJson, type Workshop, workshop } from "./command-line.ts";

interface Kind {
  /** Outputs with their types, and the nodes that make them of `c` [N, 6, 5, 5], `p` [N, 6] or `s` [N, 25, 6]. */
  readonly outputs: string;
  readonly nodes: string;
  /** What agreement is of; null: there is none. */
  readonly of: "samples" | "pixels" | "positions" | null;
  /** How many outputs have decibels. */
  readonly decibels: number;
  /** Outputs that the runtime does not hand over. */
  readonly unjudged?: number;
}

const none = { of: null, decibels: 0 } as const;
const numbers = { of: null, decibels: 1 } as const;
const argmax = "q = ArgMax <axis = 1, keepdims = 0> (c)";

// biome-ignore format: a table
const kinds: Readonly<Record<string, Kind>> = {
  "softmax of samples": { outputs: "float[N,6] y", nodes: "y = Softmax <axis = -1> (p)", of: "samples", decibels: 1 },
  "softmax of samples, transposed": { outputs: "float[6,N] t, float[N,6] y", nodes: "t = Transpose <perm = [1, 0]> (p) y = Softmax(p)", of: "samples", decibels: 2 },
  "softmax in its parts": { outputs: "float[N,6] y", nodes: "e = Exp(p) n = ReduceSum <keepdims = 1> (e, last) y = Div(e, n)", of: "samples", decibels: 1 },
  "softmax of positions": { outputs: "float[N,25,6] y", nodes: "y = Softmax <axis = 2> (s)", of: "positions", decibels: 1 },
  "softmax of pixels": { outputs: "float[N,6,5,5] y", nodes: "y = Softmax <axis = 1> (c)", of: "pixels", decibels: 1 },
  "log softmax behind a reshape": { outputs: "float[N,25,6] y", nodes: "f = Reshape(s, flat) l = LogSoftmax <axis = -1> (f) y = Reshape(l, apart)", of: "positions", decibels: 1 },
  "argmax of samples": { outputs: "int64[N] y", nodes: "y = ArgMax <axis = 1, keepdims = 0> (p)", of: "samples", decibels: 0 },
  "argmax of pixels as int32": { outputs: "int32[N,5,5] y", nodes: `${argmax} y = Cast <to = 6> (q)`, of: "pixels", decibels: 0 },
  "argmax of pixels as bytes": { outputs: "uint8[N,5,5] y", nodes: `${argmax} y = Cast <to = 2> (q)`, of: "pixels", decibels: 0 },
  "truths": { outputs: "bool[N,6] y", nodes: "y = Greater(p, zero)", ...none },
  "class numbers of TopK": { outputs: "float[N,2] v, int64[N,2] y", nodes: "v, y = TopK <axis = 1> (p, two)", ...numbers },
  "indices that depend on the data": { outputs: "int64[2,M] y", nodes: "o = Greater(p, zero) y = NonZero(o)", ...none },
  "half precision": { outputs: "float16[N,6] y", nodes: "y = Cast <to = 10> (p)", ...numbers },
  "double precision": { outputs: "double[N,6] y", nodes: "y = Cast <to = 11> (p)", ...numbers },
  "half precision behind a softmax": { outputs: "float16[N,6] y", nodes: "m = Softmax(p) y = Cast <to = 10> (m)", of: "samples", decibels: 1 },
  "texts": { outputs: "string[N] y", nodes: `${argmax.replace("(c)", "(p)")} y = Cast <to = 8> (q)`, ...none },
  "a sequence": { outputs: "seq(float[N,6]) y", nodes: "y = SequenceConstruct(p)", ...none, unjudged: 1 },
  "a sequence beside scores": { outputs: "seq(float[N,6]) y, float[N,6] z", nodes: "y = SequenceConstruct(p) z = Softmax(p)", of: "samples", decibels: 1, unjudged: 1 },
  "a scalar": { outputs: "float y", nodes: "y = ReduceMean <keepdims = 0> (p)", ...numbers },
  "a scalar of whole numbers": { outputs: "int64 y", nodes: "y = Size(p)", ...none },
  "one number a sample": { outputs: "float[N,1] y", nodes: "y = ReduceMean <keepdims = 1> (p, last)", ...numbers },
  "an embedding": { outputs: "float[N,6] y", nodes: "y = LpNormalization <axis = 1> (p)", ...numbers },
  "an embedding by name": { outputs: "float[N,6] embedding", nodes: "embedding = Identity(p)", ...numbers },
  "boxes and scores": { outputs: "float[N,25,4] boxes, float[N,25,2] y", nodes: "b = Slice(s, no, four, two) boxes = Sigmoid(b) v = Slice(s, four, six, two) y = Softmax <axis = -1> (v)", of: "positions", decibels: 2 },
  "a mask": { outputs: "float[N,6,5,5] y", nodes: "y = Sigmoid(c)", ...numbers },
  "a picture": { outputs: "float[N,6,5,5] y", nodes: "y = Tanh(c)", ...numbers },
  "features": { outputs: "float[N,6,5,5] y", nodes: "y = Relu(c)", ...numbers },
  "a hard swish with scalar constants": { outputs: "float[N,6,5,5] y", nodes: "a = Add(c, three) k = Clip(a, zero, six_) m = Mul(c, k) d = Div(m, six_) y = Conv <pads = [1,1,1,1]> (d, w2)", ...numbers },
  "the input itself": { outputs: "float[N,3,5,5] y, float[N,6] z", nodes: "y = Identity(x) z = Softmax(p)", of: "samples", decibels: 2 },
};

const modelOf = ({ outputs, nodes }: Kind) => `<ir_version: 10, opset_import: ["" : 21]>
  kind (float[N,3,5,5] x) => (${outputs})
  <float[6,3,3,3] w, float[6,6,3,3] w2, int64[1] last = {-1}, int64[1] two = {2}, int64[1] no = {0}, int64[1] four = {4}, int64[1] six = {6},
   int64[2] flat = {-1, 6}, int64[3] apart = {-1, 25, 6}, int64[3] rows = {0, 6, 25}, float zero = {0.0}, float three = {3.0}, float six_ = {6.0}> {
    c = Conv <pads = [1,1,1,1]> (x, w)
    g = GlobalAveragePool(c)
    p = Flatten(g)
    r = Reshape(c, rows)
    s = Transpose <perm = [0, 2, 1]> (r)
    ${nodes.replaceAll(/(\)) (?=[\w, ]+ = )/g, "$1\n    ")} }`;

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  const random = new Random(7);
  shop.npy(
    "kinds.npy",
    Tensor.float32(
      [12, 3, 5, 5],
      Float32Array.from({ length: 12 * 75 }, () => random.normal()),
    ),
  );
});
afterAll(() => shop[Symbol.dispose]());

const data = () => ["--data", shop.at("kinds.npy")];

describe.each(Object.entries(kinds))("%s", (name, kind) => {
  const file = `${name.replaceAll(/\W/g, "-")}.onnx`;
  const folder = `${file}-out`;

  test("quantize, verify, compare, report", async () => {
    await shop.model(file, parseModel(modelOf(kind), { seed: 3 }));
    const { code, json, out, err } = await avocetJson(["quantize", shop.at(file), ...data(), "-o", shop.at(folder), "--preset", "fast"]); // biome-ignore format: a command
    expect(code, `${out}\n${err}`).toBe(0);
    expect(json.files).toContain("model.onnx");
    expect(json.decisions.of, JSON.stringify(json.decisions)).toBe(kind.of);
    expect(json.agreement.float === null).toBe(kind.of === null);
    expect(json.outputs).toHaveLength(kind.decibels);
    const lost = json.warnings.filter((warning: { kind: string }) => warning.kind === "not-judged");
    expect(lost, JSON.stringify(json.warnings)).toHaveLength(kind.unjudged ?? 0);
    // Twelve samples: all calibrated, which is said.
    if (kind.of) expect(json.warnings.map((warning: { kind: string }) => warning.kind)).toContain("seen-data");
    expect(shop.json(folder, "report.json").warnings).toEqual(json.warnings);
    const page = readFileSync(shop.at(folder, "report.html"), "utf8");
    expect(page.includes("Same class as float")).toBe(kind.of !== null);

    const verified = await avocetJson(["verify", shop.at(folder)]);
    expect(verified.code, verified.out).toBe(0);
    expect(verified.json.decisions.of).toBe(kind.of);
    if (kind.of) expect(verified.json.agreement.float).toBeCloseTo(json.agreement.float, 12);

    const compared = await avocetJson(["compare", shop.at(file), shop.at(folder), ...data()]);
    expect(compared.code, compared.out).toBe(0);
    expect(compared.json.decisions.of).toBe(kind.of);

    const report = await avocet(["report", shop.at(folder), "-o", shop.at(`${folder}.html`)]);
    expect(report.code, report.err).toBe(0);
    expect(report.out.includes("the same class as float")).toBe(kind.of !== null);
  });
});

describe("steps that judge by themselves take any output", () => {
  test.each([
    ["best", ["--preset", "best"]],
    ["reconstruction", ["--method", "reconstruction:iterations=4"]],
    ["bias correction", ["--method", "bias-correction"]],
    ["4 bits", ["--weights", "int4"]],
  ])("%s", async (name, options) => {
    for (const kind of ["argmax of pixels as int32", "a scalar", "a sequence beside scores"]) {
      const file = await shop.model("step.onnx", parseModel(modelOf(kinds[kind]!), { seed: 3 }));
      const out = shop.at(`${name}-${kind}`);
      const { code, out: text } = await avocetJson(["quantize", file, ...data(), "-o", out, ...options]);
      expect(code, `${kind}: ${text}`).toBe(0);
    }
  });

  test("training", async () => {
    for (const kind of ["argmax of pixels as int32", "a scalar", "softmax of positions"]) {
      const file = await shop.model("step.onnx", parseModel(modelOf(kinds[kind]!), { seed: 3 }));
      const { code, out, json } = await avocetJson(["train", file, ...data(), "-o", shop.at(`trained-${kind}`), "--epochs", "1"]); // biome-ignore format: a command
      expect(code, `${kind}: ${out}`).toBe(0);
      expect(json.judgedOn).toEqual({ data: "training", seen: 12, samples: 12 });
    }
  });
});

test("an interruption while the result is judged leaves the folder, which says so, and can be verified", async () => {
  const file = await shop.model("stopped.onnx", parseModel(modelOf(kinds["softmax of samples"]!), { seed: 3 }));
  const stop = new AbortController();
  let err = "";
  const io = {
    out: () => {},
    err: (text: string) => {
      err += text;
      if (text.includes("verify")) stop.abort();
    },
    interactive: false,
    color: false,
    signal: stop.signal,
    env: {},
  };
  const code = await main(["quantize", file, ...data(), "-o", shop.at("stopped"), "--preset", "fast"], io);
  expect([code, err]).toEqual([130, expect.stringContaining("is complete, but was not judged")]);
  expect(shop.listing()).toEqual(
    expect.arrayContaining(["stopped/model.onnx", "stopped/plan.json", "stopped/report.html"]),
  );
  const { warnings, unjudged } = shop.json("stopped", "report.json");
  expect(warnings[0]).toMatchObject({ kind: "not-judged" });
  expect(unjudged).toEqual([{ what: "anything", reason: "the command ended before" }]);
  expect((await avocetJson(["verify", shop.at("stopped")])).code).toBe(0);
  expect((await avocet(["report", shop.at("stopped"), "-o", shop.at("stopped.html")])).code).toBe(0);
});

describe("metrics of outputs that are not [N, classes]", () => {
  test.each([
    ["softmax of positions", [12, 25], "top1"],
    ["argmax of pixels as int32", [12, 5, 5], "top1"],
    ["argmax of pixels as bytes", [12, 5, 5], "miou"],
    ["argmax of samples", [12], "top1"],
    ["class numbers of TopK", [12], "top2"],
  ] as const)("%s with labels %j: %s", async (kind, shape, metric) => {
    const file = await shop.model("metric.onnx", parseModel(modelOf(kinds[kind]!), { seed: 3 }));
    const size = shape.reduce<number>((a, b) => a * b, 1);
    shop.npy(
      "labels.npy",
      Tensor.of(
        "uint8",
        shape,
        Uint8Array.from({ length: size }, (_, i) => i % 6),
      ),
    );
    const judged = ["--labels", shop.at("labels.npy"), "--metric", metric];
    const evaluated = await avocetJson(["evaluate", file, ...data(), ...judged]);
    expect(evaluated.code, evaluated.out).toBe(0);
    expect(evaluated.json).toMatchObject({ metric, samples: 12, interval: [expect.any(Number), expect.any(Number)] });
    const made = await avocetJson(["quantize", file, ...data(), "--evaluate", shop.at("kinds.npy"), ...judged, "-o", shop.at(`metric-${kind}`), "--preset", "fast"]); // biome-ignore format: a command
    expect(made.code, made.out).toBe(0);
    expect(made.json.score).toMatchObject({ metric, float: evaluated.json.value, interval: expect.anything() });
  });
});
