/** What every runtime must hold to, whatever stands behind its door; a member that cannot lists the test and the reason. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { writeModel } from "../formats/inner.ts";
import { writeModelFile } from "../formats/inner-node.ts";
import { parseModel } from "../ir/inner.ts";
import { type DType, Tensor } from "../tensor/inner.ts";
import { openCursor } from "./cursor/cursor.ts";
import type { Runtime } from "./runtime.ts";
import { openTaps } from "./taps.ts";

export interface Skip {
  readonly test: string;
  readonly because: string;
}

export const model = (text: string, seed?: number) =>
  parseModel(`<ir_version: 10, opset_import: ["" : 21]> ${text}`, seed === undefined ? {} : { seed });
export const failure = (code: string, parts: object = {}) => expect.objectContaining({ code, ...parts });

const tiny = () => model("g (float[N] x) => (float[N] y) { y = Neg(x) }");
const one = { x: Tensor.float32([1], [1]) };

/** A layer as lowering writes it: input, weights and output quantized. */
export const quantizedLayer = () =>
  model(
    `g (float[N, 64] x) => (float[N, 32] y) <float[64, 32] w, float s = {0.03}, uint8 z = {128}, float t = {0.02}, int8 o = {0},
      float u = {0.16}, uint8 v = {131}>
    { xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z)
      wq = QuantizeLinear(w, t, o) wd = DequantizeLinear(wq, t, o)
      m = MatMul(xd, wd) mq = QuantizeLinear(m, u, v) y = DequantizeLinear(mq, u, v) }`,
    1,
  );

/** Runs the suite for one runtime. */
export function runtimeSuite(name: string, runtime: Runtime, skips: readonly Skip[] = []): void {
  const check = (title: string, body: () => Promise<void>) => {
    const skip = skips.find((s) => s.test === title);
    if (skip) test.skip(`${title} (${skip.because})`, () => {});
    else test(title, body);
  };

  describe(`${name}: a model is opened`, () => {
    const network = () => model("g (float[N, 4] x) => (float[N, 2] y) <float[4, 2] w> { y = MatMul(x, w) }", 3);
    const feeds = { x: Tensor.float32([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]) };

    check("from a Model, its bytes, a path, and a path with external data, with equal results", async () => {
      const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
      try {
        const path = join(folder, "model.onnx");
        writeFileSync(path, writeModel(network()));
        const split = join(folder, "split.onnx");
        await writeModelFile(network(), split, { externalData: "always" });
        const results: Tensor[] = [];
        for (const given of [network(), writeModel(network()), path, split]) {
          await using session = await runtime.open(given);
          results.push((await session.run(feeds)).y!);
        }
        expect(results[0]!.shape).toEqual([2, 2]);
        for (const result of results) expect(result.data).toEqual(results[0]!.data);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    check("and says what goes in and out", async () => {
      await using session = await runtime.open(
        model("g (float[N, 3] x, int64[2] k) => (float[N, 3] y, int64[2] l) { y = Neg(x) l = Neg(k) }"),
      );
      expect(session.inputs).toEqual([
        { name: "x", dtype: "float32", shape: ["N", 3] },
        { name: "k", dtype: "int64", shape: [2] },
      ]);
      expect(session.outputs.map(({ name, dtype }) => [name, dtype])).toEqual([
        ["y", "float32"],
        ["l", "int64"],
      ]);
    });

    check("many times at once, each session its own", async () => {
      const sessions = await Promise.all([1, 2, 3].map((k) => runtime.open(scaled(k))));
      const results = await Promise.all(sessions.map((session) => session.run(one)));
      expect(results.map(({ y }) => y!.numbers())).toEqual([[1], [2], [3]]);
      for (const session of sessions) await session[Symbol.asyncDispose]();
    });
  });

  describe(`${name}: values cross the door`, () => {
    for (const [dtype, tensor] of samples) {
      check(dtype, async () => {
        const text = { float32: "float", float64: "double" }[dtype as string] ?? dtype;
        await using session = await runtime.open(model(`g (${text}[N] x) => (${text}[N] y) { y = Identity(x) }`));
        expect(session.inputs).toEqual([{ name: "x", dtype, shape: ["N"] }]);
        const { y } = await session.run({ x: tensor });
        expect(y!.dtype).toBe(dtype);
        expect(y!.data).toEqual(tensor.data);
      });
    }

    check("scalars and empty tensors", async () => {
      await using session = await runtime.open(
        model("g (float s, float[N, 2] e) => (float t, float[N, 2] f) { t = Neg(s) f = Neg(e) }"),
      );
      const { t, f } = await session.run({ s: Tensor.scalar(2), e: Tensor.float32([0, 2], []) });
      expect([t!.shape, t!.floats()[0], f!.shape]).toEqual([[], -2, [0, 2]]);
    });

    check("results stay what they are when the session runs again", async () => {
      await using session = await runtime.open(tiny());
      const first = (await session.run(one)).y!;
      await session.run({ x: Tensor.float32([1], [5]) });
      expect(first.numbers()).toEqual([-1]);
    });

    check("an int4 output is refused before it can abort the process, the others can be had", async () => {
      await using session = await runtime.open(
        model(`g (float[N] x) => (int4[N] q, float[N] y) <float s = {1.0}, int4 z = {0}>
          { q = QuantizeLinear(x, s, z) y = Neg(x) }`),
      );
      const feeds = { x: Tensor.float32([2], [1, 2]) };
      await expect(session.run(feeds)).rejects.toEqual(
        failure("runtime/unsupported-type", { detail: expect.anything() }),
      );
      expect((await session.run(feeds, ["y"])).y!.floats()).toEqual(Float32Array.of(-1, -2));
    });

    check("bfloat16 outputs, sequences and 4-bit inputs are refused with the same code", async () => {
      const refused = failure("runtime/unsupported-type");
      await expect(runtime.open(model("g (float[N] x) => (bfloat16[N] y) { y = Cast <to = 16> (x) }"))).rejects.toEqual(
        refused,
      );
      await using sequence = await runtime.open(
        model("g (float[N] x) => (seq(float[N]) y) { y = SequenceConstruct(x, x) }"),
      );
      await expect(sequence.run({ x: Tensor.float32([1], [1]) })).rejects.toEqual(refused);
      await using narrow = await runtime.open(model("g (uint4[4] x) => (float[4] y) { y = Cast <to = 1> (x) }"));
      await expect(narrow.run({ x: Tensor.of("uint4", [4], Uint8Array.of(0, 1)) })).rejects.toEqual(refused);
    });
  });

  describe(`${name}: feeds are checked before the run`, () => {
    const text =
      "g (float[N, 3] x, int64[2] k) => (float[N, 3] y, float z) { f = Cast <to = 1> (k) z = ReduceSum <keepdims = 0> (f) y = Add(x, z) }";
    const good = { x: Tensor.float32([1, 3], [1, 2, 3]), k: Tensor.int64([2], [1, 2]) };
    const cases: [string, Record<string, Tensor>, string][] = [
      ["a missing input", { x: good.x }, "data/wrong-inputs"],
      ["an unknown input", { ...good, z: good.x }, "data/wrong-inputs"],
      ["another type", { ...good, x: Tensor.int64([1, 3], [1, 2, 3]) }, "data/wrong-dtype"],
      ["another length", { ...good, x: Tensor.float32([1, 2], [1, 2]) }, "data/wrong-shape"],
      ["another rank", { ...good, x: Tensor.float32([3], [1, 2, 3]) }, "data/wrong-shape"],
    ];
    for (const [title, feeds, code] of cases) {
      check(title, async () => {
        await using session = await runtime.open(model(text));
        await expect(session.run(feeds)).rejects.toEqual(failure(code));
      });
    }

    check("dynamic lengths take anything", async () => {
      await using session = await runtime.open(model(text));
      for (const n of [1, 2, 5]) {
        const { y } = await session.run({ ...good, x: Tensor.float32([n, 3], new Float32Array(3 * n).fill(n)) });
        expect([y!.shape, [...y!.floats()]]).toEqual([[n, 3], new Array(3 * n).fill(n + 3)]);
      }
    });

    check("only wanted outputs come back, and one that does not exist is refused", async () => {
      await using session = await runtime.open(model(text));
      expect(Object.keys(await session.run(good, ["z"]))).toEqual(["z"]);
      expect(Object.keys(await session.run(good))).toEqual(["y", "z"]);
      await expect(session.run(good, ["nope"])).rejects.toEqual(failure("graph/not-found"));
    });
  });

  describe(`${name}: what the runtime says becomes an error with a code and a place`, () => {
    check("an unknown operator", async () => {
      const open = runtime.open(model("g (float[N] x) => (float[N] y) { [first] y = Foo(x) }"));
      await expect(open).rejects.toEqual(
        failure("runtime/load", { detail: expect.objectContaining({ at: expect.stringMatching(/^Foo\b/) }) }),
      );
    });

    const shaper = () =>
      model("g (float[N] x) => (float[A, B] y) <int64[2] s = {3, 5}> { [shaper] y = Reshape(x, s) }");
    const four = { x: Tensor.float32([4], [1, 2, 3, 4]) };

    check("a node that fails is named", async () => {
      await using session = await runtime.open(shaper());
      await expect(session.run(four)).rejects.toEqual(
        failure("runtime/run", { detail: expect.objectContaining({ at: "Reshape shaper" }) }),
      );
    });

    check("a session lives on after a run that failed", async () => {
      await using session = await runtime.open(shaper());
      const run = session.run(four);
      await expect(run).rejects.toEqual(failure("runtime/run"));
      await expect(run).rejects.toThrow(/ONNX Runtime says: (?!.*ERROR_CODE).*requested shape/);
      expect((await session.run({ x: Tensor.float32([15], new Float32Array(15)) })).y!.shape).toEqual([3, 5]);
    });

    check("too little memory", async () => {
      await using session = await runtime.open(model("g (int64[1] n) => (float[M] y) { y = ConstantOfShape(n) }"));
      await expect(session.run({ n: Tensor.int64([1], [4e11]) })).rejects.toEqual(failure("runtime/out-of-memory"));
    });

    check("no file, no model, no provider", async () => {
      await expect(runtime.open("/nowhere/x.onnx")).rejects.toEqual(failure("runtime/load"));
      await expect(runtime.open(Uint8Array.of(1, 2, 3))).rejects.toEqual(failure("runtime/load"));
      const [cpu] = runtime.providers;
      for (const providers of [["nope"], ["nope", cpu!], [cpu!, "nope"]]) {
        await expect(runtime.open(tiny(), { providers })).rejects.toEqual(failure("runtime/missing"));
      }
      await using session = await runtime.open(tiny(), { providers: [cpu!] });
      expect((await session.run(one)).y!.numbers()).toEqual([-1]);
    });
  });

  describe(`${name}: options`, () => {
    check("optimisation off, basic and full give the same numbers", async () => {
      const network = () =>
        model(
          `g (float[N, 8] x) => (float[N, 8] y) <float[8, 8] w, float[8] b>
          { m = MatMul(x, w) a = Add(m, b) r = Relu(a) i = Identity(r) y = Sigmoid(i) }`,
          5,
        );
      const x = Tensor.float32(
        [3, 8],
        Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      );
      const results: Float32Array[] = [];
      for (const optimization of ["off", "basic", "full"] as const) {
        await using session = await runtime.open(network(), { optimization });
        results.push((await session.run({ x })).y!.floats());
      }
      // A fused Gemm adds its eight products in another order: a few units in the last place of numbers below 1.
      for (const result of results) for (const [i, y] of result.entries()) expect(y).toBeCloseTo(results[0]![i]!, 6);
    });

    check("integer kernels, Q/DQ left unfused and optimisation off agree within one step", async () => {
      const x = Tensor.float32(
        [16, 64],
        Float32Array.from({ length: 1024 }, (_, i) => 3 * Math.sin(1.7 * i)),
      );
      const steps: number[][] = [];
      for (const options of [{}, { fuseQdq: false }, { optimization: "off" as const }]) {
        await using session = await runtime.open(quantizedLayer(), options);
        steps.push((await session.run({ x })).y!.numbers().map((y) => Math.round(y / 0.16)));
      }
      expect(new Set(steps[2]).size).toBeGreaterThan(20);
      for (const other of steps) {
        const apart = other.filter((q, i) => q !== steps[2]![i]);
        // A rounding tie may fall to either side: at most one step, and seldom.
        expect(Math.max(...other.map((q, i) => Math.abs(q - steps[2]![i]!)))).toBeLessThanOrEqual(1);
        expect(apart.length).toBeLessThan(other.length / 50);
      }
    });

    check("one thread", async () => {
      await using session = await runtime.open(tiny(), { threads: 1 });
      expect((await session.run(one)).y!.numbers()).toEqual([-1]);
    });
  });

  describe(`${name}: work in progress`, () => {
    const data = arrayData({
      x: Tensor.float32(
        [40],
        Float32Array.from({ length: 40 }, (_, i) => i),
      ),
    });

    check("a stream stops when it is aborted, and its session can be disposed", async () => {
      const stop = new AbortController();
      await using taps = await openTaps(tiny(), runtime, { values: ["y"] });
      const seen: number[] = [];
      const walk = async () => {
        for await (const { first } of taps.stream(data, { batch: 1, signal: stop.signal })) {
          seen.push(first);
          if (first === 3) stop.abort();
        }
      };
      await expect(walk()).rejects.toEqual(failure("abort/interrupted"));
      expect(seen).toEqual([0, 1, 2, 3]);
    });

    check("the cursor walks on it", async () => {
      const chain = model("g (float[N] x) => (float[N] y) { a = Neg(x) b = Abs(a) y = Neg(b) }");
      await using cursor = await openCursor({ model: chain, runtime, data, batch: 10 });
      await cursor.advance(["b"]);
      const values: number[] = [];
      for await (const { float } of cursor.pairs("b")) values.push(...float.numbers());
      expect(values).toEqual(Array.from({ length: 40 }, (_, i) => i));
    });

    check("a session that was disposed says so, and may be disposed again", async () => {
      const session = await runtime.open(tiny());
      await session[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
      await expect(session.run(one)).rejects.toThrow("internal:");
    });
  });
}

const scaled = (k: number) => model(`g (float[N] x) => (float[N] y) <float k = {${k}.0}> { y = Mul(x, k) }`);

const samples: readonly [DType, Tensor][] = [
  ["float32", Tensor.float32([3], [1.5, -2, 3])],
  ["float64", Tensor.of("float64", [3], Float64Array.of(1.5, -2, 1e300))],
  ["float16", Tensor.of("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x7bff))],
  ["int8", Tensor.of("int8", [3], Int8Array.of(-128, 0, 127))],
  ["uint8", Tensor.of("uint8", [3], Uint8Array.of(0, 1, 255))],
  ["int16", Tensor.of("int16", [3], Int16Array.of(-32768, 0, 7))],
  ["uint16", Tensor.of("uint16", [3], Uint16Array.of(0, 1, 65535))],
  ["int32", Tensor.of("int32", [3], Int32Array.of(-5, 0, 2147483647))],
  ["uint32", Tensor.of("uint32", [3], Uint32Array.of(0, 1, 4294967295))],
  ["int64", Tensor.int64([3], [-1n, 0n, 2n ** 62n])],
  ["uint64", Tensor.of("uint64", [3], BigUint64Array.of(0n, 1n, 2n ** 63n))],
  ["bool", Tensor.of("bool", [3], Uint8Array.of(0, 1, 1))],
  ["string", Tensor.of("string", [3], ["", "a", "é"])],
];
