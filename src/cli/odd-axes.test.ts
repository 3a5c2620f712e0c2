/** Samples that do not lie on the first axis, scalars, constants and states: every form of data through every command. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { fieldCase, fixture, missing } from "../../test/fixtures.ts";
import { Random } from "../base/inner.ts";
import { readNpz, writeNpz } from "../data/inner-files.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";

const samples = 6;
const head = '<ir_version: 10, opset_import: ["" : 17]>';

/** How an input of a model is for one sample, and on which axis samples lie; null: one tensor for all. */
interface Input {
  readonly shape: readonly number[];
  readonly axis: number | null;
}

interface Case {
  readonly text: string;
  readonly inputs: Readonly<Record<string, Input>>;
  /** Axis of the samples of each output. */
  readonly outputs: Readonly<Record<string, number>>;
  readonly options?: readonly string[];
  /** The model takes one sample at a time. */
  readonly single?: true;
  /** Forms of data that can be told apart. Default all. */
  readonly forms?: readonly Form[];
}

type Form = "own" | "first" | "stack";

const lstm = (x: string, state: string) => `${head}
  g (float[${x}] x, float[${state}] h, float[${state}] c) => (float[5,1,${x.split(",")[1]},6] y, float[${state}] hn, float[${state}] cn)
  <float[1,24,4] w, float[1,24,6] r, float[1,48] b> {
    y, hn, cn = LSTM <hidden_size = 6> (x, w, r, b, , h, c) }`;

const cases: Record<string, Case> = {
  "a time-major LSTM with states [1, batch, 6]": {
    text: lstm("5,batch,4", "1,batch,6"),
    inputs: { x: { shape: [5, 1, 4], axis: 1 }, h: { shape: [1, 1, 6], axis: 1 }, c: { shape: [1, 1, 6], axis: 1 } },
    outputs: { y: 2, hn: 1, cn: 1 },
  },
  "one whose lengths have names of their own": {
    text: lstm("5,a,4", "1,b,6"),
    inputs: { x: { shape: [5, 1, 4], axis: 1 }, h: { shape: [1, 1, 6], axis: 1 }, c: { shape: [1, 1, 6], axis: 1 } },
    outputs: { y: 2, hn: 1, cn: 1 },
  },
  "one that was exported for one sample": {
    text: lstm("5,1,4", "1,1,6"),
    inputs: { x: { shape: [5, 1, 4], axis: 1 }, h: { shape: [1, 1, 6], axis: 1 }, c: { shape: [1, 1, 6], axis: 1 } },
    outputs: { y: 2, hn: 1, cn: 1 },
    single: true,
    // [6, 1, 4] for [5, 1, 4] and the like: the model's own axes cannot hold six samples.
    forms: ["first", "stack"],
  },
  "a state [2, batch, 8] and a scalar": {
    text: `${head}
      g (float[batch,7] x, float[2,batch,8] s, int64 rate) => (float[batch,3] y, float[2,batch,8] sn)
      <float[7,8] w, float[8,3] v, int64[1] z = {0}, float half = {0.5}> {
        a = MatMul(x, w)  b = Relu(a)  t = ReduceSum <keepdims = 0> (s, z)  d = Add(b, t)  y = MatMul(d, v)
        f = Cast <to = 1> (rate)  k = Mul(s, half)  e = Mul(k, f)  sn = Div(e, f) }`,
    inputs: { x: { shape: [1, 7], axis: 0 }, s: { shape: [2, 1, 8], axis: 1 }, rate: { shape: [], axis: null } },
    outputs: { y: 0, sn: 1 },
  },
  "samples on the last of three axes, named by the user": {
    text: `${head}
      g (float[3,4,n] x, float[4] bias) => (float[3,5,n] y) <float[5,4] w> {
        t = Transpose <perm = [2,0,1]> (x)  a = Add(t, bias)  u = Transpose <perm = [1,2,0]> (a)  y = MatMul(w, u) }`,
    inputs: { x: { shape: [3, 4, 1], axis: 2 }, bias: { shape: [4], axis: null } },
    outputs: { y: 2 },
    options: ["--batch-axis", "x=2", "--batch-axis", "bias=none"],
  },
};

/** [0, 1, 2 …] moved so that the first axis of [samples, …] comes to `axis`. */
function stacked(parts: readonly Tensor[], axis: number): Tensor {
  const shape = parts[0]!.shape;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const values: number[] = [];
  for (let o = 0; o < outer; o++)
    for (const part of parts) values.push(...part.numbers().slice(o * inner, (o + 1) * inner));
  return Tensor.float32(
    shape.map((dim, i) => (i === axis ? parts.length : dim)),
    values,
  );
}

const furthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

describe.each(Object.entries(cases))("%s", (name, { text, inputs, outputs, options = [], single, forms }) => {
  const file = name.replace(/\W+/g, "-");
  const singles: Feeds[] = [];
  const expected: Feeds[] = [];

  beforeAll(async () => {
    const model = parseModel(text, { seed: 3 });
    await shop.model(`${file}.onnx`, model);
    const random = new Random(7);
    const made = Object.entries(inputs).map(([input, { shape, axis }]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const one = () =>
        input === "rate"
          ? Tensor.int64([], [16_000])
          : Tensor.float32(
              shape,
              Float32Array.from({ length: size }, () => random.normal()),
            );
      const held = one();
      return [input, Array.from({ length: samples }, () => (axis === null ? held : one()))] as const;
    });
    for (let i = 0; i < samples; i++) singles.push(Object.fromEntries(made.map(([input, all]) => [input, all[i]!])));
    await using session = await (await openRuntime()).open(model);
    for (const feeds of singles) expected.push(await session.run(feeds));
    for (const form of ["own", "first", "stack"] as const) {
      const arrays = made.map(([input, all]) => [input, arrayOf(all, inputs[input]!, form)] as const);
      shop.write(`${file}-${form}.npz`, writeNpz(Object.fromEntries(arrays)));
    }
  });

  function arrayOf(all: readonly Tensor[], { shape, axis }: Input, form: Form): Tensor {
    if (axis === null) {
      if (form === "own") return all[0]!;
      const kind = all[0]!.dtype;
      return kind === "int64"
        ? Tensor.int64(
            [samples],
            all.map(() => 16_000),
          )
        : stackOf(all, shape);
    }
    if (form === "own") return stacked(all, axis);
    return stackOf(all, form === "stack" ? shape : shape.filter((_, i) => i !== axis));
  }
  const stackOf = (all: readonly Tensor[], shape: readonly number[]) =>
    Tensor.float32(
      [samples, ...shape],
      all.flatMap((part) => part.numbers()),
    );

  const every = (forms ?? ["own", "first", "stack"]).flatMap((form) =>
    (single ? [1] : [1, 4]).map((batch) => ({ form, batch })),
  );
  test.each(every)("run, $form axes, $batch a run: what each sample gives alone", async ({ form, batch }) => {
    const out = shop.at("out.npz");
    const args = ["run", shop.at(`${file}.onnx`), "--data", shop.at(`${file}-${form}.npz`), "--batch", String(batch)];
    const run = await avocet([...args, ...options, "-o", out, "--force", "--quiet"]);
    expect(run.code, run.err).toBe(0);
    const got = await readNpz(readFileSync(out));
    for (const [output, axis] of Object.entries(outputs)) {
      const wanted = stacked(
        expected.map((one) => one[output]!),
        single ? got[output]!.shape.indexOf(samples) : axis,
      );
      expect(got[output]!.shape).toEqual(wanted.shape);
      // Kernels add in another order for another batch.
      expect(furthest(got[output]!.numbers(), wanted.numbers())).toBeLessThan(1e-5);
    }
  });

  test("quantize, verify, compare and run go through", async () => {
    const [model, data, dir] = [shop.at(`${file}.onnx`), shop.at(`${file}-first.npz`), shop.at(`${file}-out`)];
    const made = await avocetJson([
      "quantize",
      model,
      "--data",
      data,
      "-o",
      dir,
      "--preset",
      "fast",
      "--quiet",
      ...options,
    ]);
    // A layer of an LSTM alone has nothing to quantize: then that is said, and nothing else fails.
    if (made.code === 4) return expect(made.json.error.code).toBe("quant/nothing-to-quantize");
    expect(made.code, made.err).toBe(0);
    const verified = await avocetJson(["verify", dir, "--quiet"]);
    expect([verified.code, verified.json.samples], verified.err).toEqual([0, samples]);
    const compared = await avocetJson(["compare", model, dir, "--data", data, "--quiet"]);
    expect([compared.code, compared.json.samples], compared.err).toEqual([0, samples]);
    const run = await avocetJson(["run", dir, "--data", data, "--quiet"]);
    expect(run.code, run.err).toBe(0);
  });
});

describe("states fed back", () => {
  const name = "a state [2, batch, 8] and a scalar";
  const states = ["--state", "sn:s", "--constant", "rate=16000"];

  // The next state of the case's model decays to zero; this one grows, so that a state that is not fed back shows.
  const text = cases[name]!.text.replace("half = {0.5}>", "half = {0.5}, float[8] one = {1,0,0,1,0,0,1,0}>").replace(
    "sn = Div(e, f)",
    "q = Div(e, f)  sn = Add(q, one)",
  );

  beforeAll(async () => {
    await shop.model("stateful.onnx", parseModel(text, { seed: 3 }));
    const random = new Random(5);
    shop.npy(
      "steps.npy",
      Tensor.float32(
        [9, 7],
        Float32Array.from({ length: 63 }, () => random.normal()),
      ),
    );
    shop.npy("classes.npy", Tensor.of("uint8", [9], new Uint8Array(9)));
  });

  async function wanted(sequence: number): Promise<number[]> {
    const random = new Random(5);
    const x = Array.from({ length: 9 }, () =>
      Tensor.float32(
        [1, 7],
        Float32Array.from({ length: 7 }, () => random.normal()),
      ),
    );
    await using session = await (await openRuntime()).open(parseModel(text, { seed: 3 }));
    const seen: number[] = [];
    let s = new Float32Array(16);
    for (const [i, step] of x.entries()) {
      if (i % sequence === 0) s = new Float32Array(16);
      const { y, sn } = await session.run({
        x: step,
        s: Tensor.float32([2, 1, 8], s),
        rate: Tensor.int64([], [16_000]),
      });
      seen.push(...y!.numbers());
      s = Float32Array.from(sn!.numbers());
    }
    return seen;
  }

  test.each([
    { sequence: 3, batch: 1 },
    { sequence: 3, batch: 4 },
    { sequence: undefined, batch: 2 },
  ])("run, sequences of $sequence, $batch a run: as a loop by hand", async ({ sequence, batch }) => {
    const out = shop.at("states.npz");
    const args = ["run", shop.at("stateful.onnx"), "--data", shop.at("steps.npy"), ...states, "--batch", String(batch)];
    const more = sequence === undefined ? [] : ["--sequence", String(sequence)];
    const run = await avocet([...args, ...more, "-o", out, "--force", "--quiet"]);
    expect(run.code, run.err).toBe(0);
    const got = (await readNpz(readFileSync(out))).y!.numbers();
    const hand = await wanted(sequence ?? Number.POSITIVE_INFINITY);
    expect(furthest(got, hand)).toBeLessThan(1e-5);
    expect(got).toHaveLength(27);
  });

  test("quantize records them in the recipe, and verify, evaluate, compare and run take them from there", async () => {
    const dir = shop.at("stateful");
    const given = ["--data", shop.at("steps.npy"), "--quiet"];
    const made = await avocetJson([
      "quantize",
      shop.at("stateful.onnx"),
      ...given,
      ...states,
      "--sequence",
      "3",
      "-o",
      dir,
      "--preset",
      "fast",
    ]);
    expect(made.code, made.err).toBe(0);
    const recipe = shop.json("stateful", "recipe.json");
    expect(recipe.inputs).toMatchObject({ s: { state: "sn" }, rate: { constant: 16_000 } });
    expect(recipe.sequence).toBe(3);
    for (const args of [
      ["verify", dir, "--quiet"],
      ["run", dir, ...given],
      ["compare", shop.at("stateful.onnx"), dir, ...given],
      ["evaluate", dir, ...given, "--labels", shop.at("classes.npy")],
    ]) {
      const run = await avocetJson(args);
      expect([run.code, run.json.error], `${args[0]}: ${run.err}`).toEqual([0, undefined]);
    }
  });

  const bad: Record<string, [string[], string, RegExp]> = {
    "an input that is none": [["--batch-axis", "z=1"], "usage/bad-value", /x \[batch, 7\]/],
    "an axis beyond the rank": [["--batch-axis", "x=2"], "usage/bad-value", /which has 2, got 2/],
    "an axis that is none": [["--batch-axis", "x=one"], "usage/bad-value", /axis or none/],
    "no axis": [["--batch-axis", "x"], "usage/bad-value", /NAME=VALUE/],
    "an output that is none": [
      ["--state", "nothing:s", "--constant", "rate=1"],
      "usage/bad-value",
      /outputs are y, sn/,
    ],
    "a constant that is no number": [["--constant", "rate=fast"], "usage/bad-value", /number/],
    "a fraction for an integer": [["--constant", "rate=0.5", "--state", "sn:s"], "data/wrong-dtype", /whole number/],
    "a sequence without a state": [["--sequence", "4"], "usage/missing", /--state/],
    "one array for three inputs": [[], "data/wrong-inputs", /missing: "x", "s", "rate"/],
  };
  test.each(Object.entries(bad))("%s", async (_, [args, code, message]) => {
    const run = await avocetJson(["run", shop.at("stateful.onnx"), "--data", shop.at("steps.npy"), "--quiet", ...args]);
    expect([run.code > 0, run.json.error.code]).toEqual([true, code]);
    expect(`${run.json.error.message} ${run.json.error.hint}`).toMatch(message);
  });

  test("an array that can be read in two ways is refused until someone says which", async () => {
    const model = parseModel(lstm("t,batch,4", "1,batch,6").replace("float[5,1,batch,6]", "float[t,1,batch,6]"), {
      seed: 3,
    });
    await shop.model("free.onnx", model);
    const random = new Random(2);
    shop.npy(
      "free.npy",
      Tensor.float32(
        [4, 3, 4],
        Float32Array.from({ length: 48 }, () => random.normal()),
      ),
    );
    const args = [
      "run",
      shop.at("free.onnx"),
      "--constant",
      "h=0",
      "--constant",
      "c=0",
      "--quiet",
      "--batch",
      "2",
      "--data",
    ];
    const both = await avocetJson([...args, shop.at("free.npy")]);
    expect(both.json.error).toMatchObject({ code: "data/wrong-shape", hint: expect.stringContaining("?axis=1") });
    for (const [end, more, count] of [
      ["?axis=1", [], 3],
      ["?axis=0", [], 4],
      ["", ["--batch-axis", "x=1"], 3],
    ] as const) {
      const run = await avocetJson([...args, shop.at("free.npy") + end, ...more]);
      expect(run.json.outputs.find((o: { name: string }) => o.name === "hn").shape).toEqual([1, count, 6]);
    }
  });
});

describe("the field's models", () => {
  test.skipIf(missing("scalar_or_layered_input"))("the case with a layered state and a scalar", async () => {
    const at = (name: string) => fieldCase(`scalar_or_layered_input/${name}`);
    const run = await avocetJson([
      "quantize",
      at("model.onnx"),
      "--data",
      at("x.npz"),
      "-o",
      shop.at("field"),
      "--preset",
      "fast",
      "--quiet",
    ]);
    expect(run.code, run.err).toBe(0);
    // Eight bits of one layer: 34 dB here, and no classes to agree on.
    expect(run.json.outputs[0].sqnr).toBeGreaterThan(30);
    expect(run.json.agreement.float).toBeNull();
  });

  test.skipIf(missing("silero-vad-lstm", "dns3-speech-pairs"))(
    "silero-vad, its states fed back through speech",
    async () => {
      const model = fixture("silero-vad-lstm/silero_vad_16k_sequence.onnx");
      const speech = `${fixture("dns3-speech-pairs/DNS3_test_set__0015_noisy.wav")}?length=576&hop=512&first=24`;
      const states = ["--state", "hn:h", "--state", "cn:c"];
      const run = await avocetJson(["run", model, "--data", speech, ...states, "--quiet"]);
      expect(run.code, run.err).toBe(0);
      const probabilities = run.json.outputs[0];
      // Its README: 0.82 to 0.96 on average in active frames of noisy speech.
      expect(probabilities.shape).toEqual([24]);
      expect(probabilities.max).toBeGreaterThan(0.8);
      const dir = shop.at("silero");
      const made = await avocetJson([
        "quantize",
        model,
        "--data",
        speech,
        ...states,
        "-o",
        dir,
        "--preset",
        "fast",
        "--quiet",
      ]);
      expect(made.code, made.err).toBe(0);
    },
  );
});
