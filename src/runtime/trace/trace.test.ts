/** Tracing: exact types for any operator, without fetching or keeping what is large. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { staleBuild } from "../../../test/built-command.ts";
import { fixture, missing } from "../../../test/fixtures.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { parseModel, tensorType } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openRuntime } from "../doors/open-runtime.ts";
import type { Runtime } from "../runtime.ts";
import { declaredTypes, traceShapes } from "./trace.ts";

const stale = staleBuild();

const runtime = await openRuntime();
const header = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>';

/** A runtime that notes how large the fetched results were. */
function watched(): { runtime: Runtime; most: () => number } {
  let most = 0;
  return {
    most: () => most,
    runtime: {
      ...runtime,
      async open(model, options) {
        const session = await runtime.open(model, options);
        return {
          inputs: session.inputs,
          outputs: session.outputs,
          async run(feeds, want) {
            const results = await session.run(feeds, want);
            for (const tensor of Object.values(results)) most = Math.max(most, tensor.byteLength);
            return results;
          },
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        };
      },
    },
  };
}

describe("types of all values", () => {
  test("convolution, reshaping by computed shapes, integers, bools, scalars", async () => {
    const model = parseModel(
      `${header} g (float[N, 3, 8, 8] x) => (float[N, C] y) <float[4, 3, 3, 3] w, int64[1] minus = {-1}, int64[1] zero = {0}> {
        c = Conv <strides = [2, 2]> (x, w)
        s = Shape(c)  n = Gather(s, zero)  t = Concat <axis = 0> (n, minus)  y = Reshape(c, t)
        m = ReduceMax <keepdims = 0> (y)  b = Greater(y, m)  h = Cast <to = 10> (b)
      }`,
      { seed: 1 },
    );
    const watch = watched();
    const types = await traceShapes(model, watch.runtime, { x: Tensor.float32([2, 3, 8, 8], new Float32Array(384)) });
    expect(types.get("x")).toEqual(tensorType("float32", [2, 3, 8, 8]));
    expect(types.get("w")).toEqual(tensorType("float32", [4, 3, 3, 3]));
    expect(types.get("c")).toEqual(tensorType("float32", [2, 4, 3, 3]));
    expect(types.get("t")).toEqual(tensorType("int64", [2]));
    expect(types.get("y")).toEqual(tensorType("float32", [2, 36]));
    expect(types.get("m")).toEqual(tensorType("float32", []));
    expect(types.get("b")).toEqual(tensorType("bool", [2, 36]));
    expect(types.get("h")).toEqual(tensorType("float16", [2, 36]));
    expect(watch.most()).toBeLessThanOrEqual(4 * 8);
  });

  test.skipIf(stale)(`values are not kept alive until the end${stale ? ` (${stale})` : ""}`, () => {
    // 60 values of 16 MiB each, in a process of its own: what it needed at most is known of the whole process only.
    const program = `
      const [{ parseModel }, { openRuntime, traceShapes }, { Tensor }] = await Promise.all(
        ["ir", "runtime", "tensor"].map((name) => import("${new URL("../../../dist/", import.meta.url)}" + name + "/inner.js")));
      const steps = Array.from({ length: 60 }, (_, i) => "v" + (i + 1) + " = Relu(v" + i + ")").join(" ");
      const model = parseModel('${header} g (float[N] v0) => (float[N] v60) {' + steps + "}");
      const runtime = await openRuntime();
      const trace = (length) => traceShapes(model, runtime, { v0: Tensor.float32([length], new Float32Array(length)) });
      await trace(1);
      const before = process.resourceUsage().maxRSS;
      const types = await trace(2 ** 22);
      console.log(types.get("v60").shape[0], (process.resourceUsage().maxRSS - before) / 1024);`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    const [length, grownMB] = out.trim().split(" ").map(Number);
    expect(length).toBe(2 ** 22);
    expect(grownMB).toBeLessThan(300);
  });

  test("contrib operators, If with captured values, sequences left out", async () => {
    const model = parseModel(
      `${header} g (float[N, 4] x) => (float[A, B] y) {
        g1 = com.microsoft.QuickGelu(x)
        zero = Constant <value = float {0}> ()
        s = ReduceSum <keepdims = 0> (g1)
        c = Less(zero, s)
        i = If (c) <then_branch = t () => (a) { a = Neg(g1) }, else_branch = e () => (b) { b = Concat <axis = 0> (g1, g1) }>
        q = SplitToSequence <axis = 0> (i)
        y = ConcatFromSequence <axis = 1> (q)
      }`,
    );
    const types = await traceShapes(model, runtime, { x: Tensor.float32([2, 4], new Float32Array(8).fill(-1)) });
    expect(types.get("g1")).toEqual(tensorType("float32", [2, 4]));
    expect(types.get("i")).toEqual(tensorType("float32", [4, 4]));
    expect(types.get("y")).toEqual(tensorType("float32", [1, 16]));
    expect(types.has("q")).toBe(false);
  });

  test("types that cannot cross the door", async () => {
    const model = parseModel(
      `${header} g (float[N, 4] x) => (float[N, 4] y) <float s = {1.0}, int4 z = {0}> {
        q = QuantizeLinear(x, s, z)  d = DequantizeLinear(q, s, z)
        p = Constant <value_ints = [-1]> ()  b = Cast <to = 16> (d)  r = Reshape(b, p)
        m, n = Split <axis = 0, num_outputs = 2> (r)  c = Cast <to = 1> (n)  f = Cast <to = 1> (r)  k = Shape(x)  y = Reshape(f, k)
      }`,
    );
    const types = await traceShapes(model, runtime, { x: Tensor.float32([3, 4], new Float32Array(12)) });
    expect(types.get("q")).toEqual(tensorType("int4", [3, 4]));
    expect(types.get("r")).toEqual(tensorType("bfloat16", [12]));
    expect(types.get("n")).toEqual(tensorType("bfloat16", [6]));
    expect(types.get("y")).toEqual(tensorType("float32", [3, 4]));
  });

  test("a wrong declaration is not believed", async () => {
    const model = parseModel(`${header} g (float[1, 4] x) => (float y) <float[1, 9] z> { z = Neg(x) y = Neg(z) }`);
    const types = await traceShapes(model, runtime, { x: Tensor.float32([1, 4], new Float32Array(4)) });
    expect([types.get("z"), types.get("y")]).toEqual([tensorType("float32", [1, 4]), tensorType("float32", [1, 4])]);
  });
});

test("declared types are taken when they are complete, and only then", () => {
  const declared = (y: string) => {
    const model = parseModel(`${header} g (float[1, 4] x) => (${y} y) <float[4] w> { y = Add(x, w) }`, { seed: 1 });
    return declaredTypes(model);
  };
  expect(declared("float[1, 4]")).toEqual(
    new Map([
      ["w", tensorType("float32", [4])],
      ["x", tensorType("float32", [1, 4])],
      ["y", tensorType("float32", [1, 4])],
    ]),
  );
  expect([declared("float[N, 4]"), declared("float[]")]).toEqual([null, null]);
});

const espnet = "espnet-camvid/espnet_camvid.onnx";
test.skipIf(missing(espnet))("a real network of 240 nodes with a fixed batch of 1", async () => {
  const model = readModelFile(fixture(espnet));
  const types = await traceShapes(model, runtime, {
    input: Tensor.float32([1, 3, 360, 480], new Float32Array(518400)),
  });
  const computed = [...model.graph.nodes].flatMap((node) => node.outputs).filter((value) => value.name !== "");
  expect(computed.filter((value) => !types.has(value.name))).toEqual([]);
  expect(types.get(model.graph.outputs[0]!.name)?.shape).toEqual([1, 12, 360, 480]);
});
