/** Small models that ask for too much, or say what cannot be: each is refused or left alone, quickly, by every pass. */

import { describe, expect, test } from "vitest";
import { AvocetError } from "../base/inner.ts";
import { inferTypes } from "../facts/inner.ts";
import { check, cloneModel, type Model, parseModel, printModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { foldConstants } from "./fold/fold-constants.ts";
import { inlineFunctions, normalise, optimise, runPass, runPasses, unrollRecurrent, upgradeOpset } from "./inner.ts";

const parse = (text: string, opset = 21) => parseModel(text, { seed: 1, opset });

/** The code of the AvocetError; any other error fails the test. */
async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.detail.at).toBeTruthy();
    expect(error.detail.hint).toBeTruthy();
    return error.code;
  }
}

/** Functions that call the next one `times` times. */
function laughs(functions: number, times: number): string {
  const body = (i: number) => Array.from({ length: times }, (_, n) => `v${n + 1} = own.F${i + 1}(v${n})`).join(" ");
  const made = Array.from({ length: functions }, (_, i) => {
    const last = i === functions - 1;
    return `<domain: "own", opset_import: ["" : 21, "own" : 1]> F${i} (v0) => (v${last ? 1 : times}) { ${last ? "v1 = Neg(v0)" : body(i)} }`;
  });
  return `<ir_version: 10, opset_import: ["" : 21, "own" : 1]> f (float[2] x) => (y) { y = own.F0(x) } ${made.join("\n")}`;
}

describe("functions", () => {
  test.each([
    [40, 2],
    [8, 10],
    [4, 100],
  ])("%i that call the next one %i times are counted before they are copied", async (functions, times) => {
    expect(await codeOf(() => runPass(parse(laughs(functions, times)), inlineFunctions))).toBe("import/too-large");
  });

  test("a thousand calls are inlined, in linear time", async () => {
    const model = parse(laughs(4, 10));
    await runPass(model, inlineFunctions);
    check(model);
    expect(model.graph.nodeCount).toBe(1000);
  });

  test("recursion is told", async () => {
    const model = parse(`<ir_version: 10, opset_import: ["" : 21, "own" : 1]> f (float[2] x) => (y) { y = own.F(x) }
      <domain: "own", opset_import: ["" : 21, "own" : 1]> F (a) => (b) { b = own.F(a) }`);
    expect(await codeOf(() => runPass(model, inlineFunctions))).toBe("import/malformed");
  });

  test("of an opset that nobody knows", async () => {
    const model = parse(`<ir_version: 10, opset_import: ["" : 21, "own" : 1]> f (float[2] x) => (y) { y = own.F(x) }
      <domain: "own", opset_import: ["" : 21]> F (a) => (b) { b = Neg(a) }`);
    for (const opset of [27, 2 ** 32, 2 ** 40]) {
      const mutant = cloneModel(model);
      mutant.opsets.set("", opset);
      expect(await codeOf(() => upgradeOpset(mutant))).toBe("import/unsupported-opset");
      expect(await codeOf(() => normalise(mutant))).toBe("import/unsupported-opset");
    }
  });
});

describe("constant folding", () => {
  /** Why the one node that makes `c` is left; undefined where it was computed. */
  async function left(body: string): Promise<string | undefined> {
    const model = parse(`f (float[2] x) => (y, c) ${body}`);
    const reports = await runPasses(model, [foldConstants(await openRuntime())]);
    return reports.flatMap((report) => report.refusals.map(({ reason }) => reason))[0];
  }

  test.each([
    ["MatMul", "<float[30000,1] a, float[1,30000] b> { c = MatMul(a, b) y = Neg(x) }"],
    ["Einsum", '<float[30000] a, float[30000] b> { c = Einsum <equation = "i,j->ij"> (a, b) y = Neg(x) }'],
    ["an outer Add", "<float[30000,1] a, float[1,30000] b> { c = Add(a, b) y = Neg(x) }"],
    [
      "Gather of one row",
      "<float[1,100000] a, int64[3000] i = {...}> { c = Gather(a, i) y = Neg(x) }".replace(
        "{...}",
        `{${new Array(3000).fill(0)}}`,
      ),
    ],
    ["HannWindow", "<int64 n = {2147483647}> { c = HannWindow(n) y = Neg(x) }"],
    [
      "MelWeightMatrix",
      "<int64 n = {100000}, int64 d = {200000}, int64 r = {16000}, float l = {0}, float h = {8000}> { c = MelWeightMatrix(n, d, r, l, h) y = Neg(x) }",
    ],
    [
      "ConvTranspose",
      "<float[1,1,8,8] a, float[1,1,1,1] w> { c = ConvTranspose <strides = [40000,40000]> (a, w) y = Neg(x) }",
    ],
    ["Conv", "<float[1,1,8,8] a, float[1,1,1,1] w> { c = Conv <pads = [40000,40000,40000,40000]> (a, w) y = Neg(x) }"],
    ["AffineGrid", "<float[1,2,3] t, int64[4] s = {1,1,30000,30000}> { c = AffineGrid(t, s) y = Neg(x) }"],
    ["Range", "<int64 a = {0}, int64 b = {1000000000}, int64 d = {1}> { c = Range(a, b, d) y = Neg(x) }"],
    [
      "EyeLike behind Expand",
      "<float[1,1] a, int64[2] s = {40000,40000}> { e = Expand(a, s) c = EyeLike(e) y = Neg(x) }",
    ],
    ["OneHot", "<int64[2] i = {1, 2}, int64 d = {1000000}, float[2] v> { c = OneHot(i, d, v) y = Neg(x) }"],
    ["Tile", "<float[1] a, int64[1] r = {1000000000}> { c = Tile(a, r) y = Neg(x) }"],
    ["Pad", "<float[1] a, int64[2] p = {1000000000,0}> { c = Pad(a, p) y = Neg(x) }"],
    [
      "Resize",
      "<float[1,1] a, float[2] s = {40000,40000}> { c = Resize(a, , s) y = Neg(x) }".replace("a, , s", 'a, "", s'),
    ],
    ["ConstantOfShape", "<int64[2] s = {40000,40000}> { c = ConstantOfShape(s) y = Neg(x) }"],
    ["ConstantOfShape with a negative length", "<int64[2] s = {-1,4}> { c = ConstantOfShape(s) y = Neg(x) }"],
    ["a long matrix product", "<float[2100,2100] a> { b = MatMul(a, a) c = MatMul(b, a) y = Neg(x) }"],
  ])("%s of a few bytes is left", async (_, body) => {
    expect(await left(body)).toMatch(/much larger|more than folding may|does not follow|negative length|take long/);
  });

  test("a chain that doubles stops before it is large", async () => {
    const steps = Array.from({ length: 32 }, (_, i) => `a${i + 1} = Concat <axis = 0> (a${i}, a${i})`).join(" ");
    const model = parse(`f (float[2] x) => (y, a32) <float[16] a0> { ${steps} y = Neg(x) }`);
    await runPasses(model, [foldConstants(await openRuntime())]);
    const bytes = [...model.graph.initializers].reduce((sum, value) => sum + value.initializer!.byteLength, 0);
    expect(bytes).toBeLessThan(1 << 20);
  });

  test.each([
    ["the least int32 by −1", "<int32[1] a = {-2147483648}, int32[1] b = {-1}> { c = Div(a, b) y = Neg(x) }"],
    ["int64 by zero", "<int64[2] a = {1, 2}, int64[2] b = {1, 0}> { c = Div(a, b) y = Neg(x) }"],
    ["uint8 by zero", "<uint8[1] a = {1}, uint8[1] b = {0}> { c = Mod(a, b) y = Neg(x) }"],
    [
      "the remainder of the least int64 by −1",
      "<int64[1] a = {-9223372036854775808}, int64[1] b = {-1}> { c = Mod(a, b) y = Neg(x) }",
    ],
    [
      "by what is computed to be zero",
      "<int64[1] a = {1}, int64[1] b = {1}> { d = Sub(a, b) c = Div(a, d) y = Neg(x) }",
    ],
  ])("a division that ends the process is not computed: %s", async (_, body) => {
    expect(await left(body)).toContain("divided by zero");
  });

  test.each([
    [
      "transposed and scaled weights, in one chain",
      "<float[600,400] w, float k = {2}> { t = Transpose(w) u = Cast <to = 1> (t) c = Mul(u, k) y = Neg(x) }",
    ],
    ["integers that divide", "<int64[2] a = {7, -9}, int64[2] b = {2, 4}> { c = Div(a, b) y = Neg(x) }"],
    ["floats by zero", "<float[2] a, float[2] b = {0, 1}> { c = Div(a, b) y = Neg(x) }"],
    ["places that are found", "<float[4] a = {0, 1, 0, 2}> { n = NonZero(a) c = Squeeze(n) y = Neg(x) }"],
    ["a float Range", "<float a = {0}, float b = {1}, float d = {0.25}> { c = Range(a, b, d) y = Neg(x) }"],
    [
      "a filter bank",
      "<int64 n = {8}, int64 d = {64}, int64 r = {16000}, float l = {0}, float h = {8000}> { c = MelWeightMatrix(n, d, r, l, h) y = Neg(x) }",
    ],
  ])("what is honest folds: %s", async (_, body) => {
    expect(await left(body)).toBeUndefined();
  });
});

const shapes =
  "int64[1] zero = {0}, int64[2] twice = {1,1}, int64[1] far = {7}, int64[2] r = {2,3}, int64 i = {0}, int64[1] minus = {-9}";
const bodies: Record<string, string> = {
  "Reshape and Unsqueeze with an axis twice": "{ a = Reshape(x, r) y = Unsqueeze(a, twice) }",
  "Reshape and Unsqueeze with a far axis": "{ a = Reshape(x, r) y = Unsqueeze(a, far) }",
  "Reshape and Squeeze with a far axis": "{ a = Reshape(x, r) y = Squeeze(a, minus) }",
  "Squeeze behind Unsqueeze of the same far axis": "{ a = Unsqueeze(x, far) y = Squeeze(a, far) }",
  "Split of a scalar": "{ s = Gather(zero, i) a, b = Split <num_outputs = 2> (s) y = Cast <to = 1> (a) }",
  "Split beyond the rank": "{ y, b = Split <axis = 9, num_outputs = 2> (x) }",
  "Concat beyond the rank": "{ y = Concat <axis = -7> (x, x) }",
  "Concat of shapes of other ranks": "{ s = Shape(x) a = Concat <axis = 0> (s, i) y = Reshape(x, a) }",
  "Transposes of other ranks": "{ a = Transpose <perm = [1,0]> (x) y = Transpose <perm = [0,2,1]> (a) }",
  "Transpose of another rank": "{ a = Transpose <perm = [2,0,1]> (x) y = Relu(a) }",
  "Gather beyond the rank": "{ y = Gather <axis = 5> (x, r) }",
  "a shape gathered beyond its end": "{ s = Shape(x) g = Gather(s, far) y = Reshape(x, g) }",
  "a shape sliced without an end": "{ s = Shape(x) g = Slice(s, twice, zero) y = Reshape(x, g) }",
  "a shape sliced in steps of zero": "{ s = Shape(x) g = Slice(s, zero, far, zero, zero) y = Reshape(x, g) }",
  "ReduceMean with an axis twice": "{ y = ReduceMean(x, twice) }",
  "TopK beyond the rank": "{ y, n = TopK <axis = 4> (x, zero) }",
  "OneHot beyond the rank": "{ c = Cast <to = 7> (x) y = OneHot <axis = -9> (c, i, r) }",
  "Softmax beyond the rank": "{ y = Softmax <axis = 9> (x) }",
  "LayerNormalization beyond the rank": "{ y, z = LayerNormalization <axis = 8> (x, v) }",
  "a Pad with too few numbers": "{ y = Pad(x, r) }",
  "a Conv of a matrix": "{ y = Conv(x, w) }",
  "a pool of a vector": "{ a = Squeeze(v) y = MaxPool <kernel_shape = [2]> (a) }",
  "a BatchNormalization behind Transpose of another rank":
    "{ a = Transpose <perm = [3,0,1,2]> (x) y = BatchNormalization(a, v, v, v, v) }",
  "an Einsum of nonsense": '{ y = Einsum <equation = "...a->,->b"> (x, x) }',
  "an Expand to nothing": "{ y = Expand(x, minus) }",
  "a Flatten beyond the rank": "{ y = Flatten <axis = 9> (x) }",
  "an unknown operator": "{ y, b = Unheard(x) }",
  "a channel map over a made-up length": "{ a = Mul(m, k) y = Relu(a) }",
};

describe("what cannot be", () => {
  const passes: Record<string, (model: Model) => unknown> = {
    normalise: (model) => normalise(model),
    optimise: (model) => optimise(model),
    "optimise with a runtime": async (model) => optimise(model, { runtime: await openRuntime() }),
    inferTypes: (model) => void inferTypes(model),
    unrollRecurrent: (model) => runPass(model, unrollRecurrent()),
  };
  for (const [pass, run] of Object.entries(passes)) {
    test.each(Object.entries(bodies))(`${pass}: %s`, async (_, body) => {
      const model = parse(
        `f (float[2,3] x, float[2,1400000000] m) => (y) <${shapes}, float[4,3,1,1] w, float[3] v, float k = {2}> ${body}`,
      );
      const code = await codeOf(() => run(model));
      expect(code ?? "fine").toMatch(/^(fine|runtime\/|import\/|graph\/invalid-node|pass\/)/);
      if (!code) {
        check(model);
        printModel(model);
      }
    });
  }
});
