/** Placement for integer kernels, one decision at a time: what each value becomes, with its reason, on graphs of a few operators. */
import { describe, expect, test } from "vitest";
import { about, gives, matrices, pictures, planOf } from "../../../test/kernel-placement.ts";

const floatReaders = (text: string, value: string) =>
  planOf(text).entries.find((entry) => entry.value === value)!.floatReaders;

const follows = (what: string) => `on: ${what} runs on integers between integer kernels`;
const read = "on: an integer kernel reads it";
const beside = (op: string) => `float: ${op} has float beside it: integers would have to be turned back at once`;
const unread = (op: string) => `float: the integer kernel of ${op} gives float, and no reader takes integers`;
const noKernel = "float: ONNX Runtime has no integer kernel for it on CPU";
const isOutput = "float: it is an output of the model, and no integer kernel follows";

describe("operators that follow integer kernels", () => {
  test("run on integers between two of them, alone and as a chain", () => {
    expect(about(pictures("c = Conv(x, w) s = Sigmoid(c) y = Conv(s, v)"), "c s y")).toEqual([
      gives("Conv"),
      follows("Sigmoid"),
      gives("Conv"),
    ]);
    const chain = pictures("c = Conv(x, w) a = Add(c, x) r = Relu(a) y = Conv(r, v)");
    expect(about(chain, "a r")).toEqual([
      "float: it is computed inside Add + Relu, which the runtime runs as one kernel",
      follows("Add + Relu"),
    ]);
  });

  test("do not where nobody takes integers behind them, however far behind", () => {
    const one = pictures("c = Conv(x, w) s = Sigmoid(c) y = Tanh(s)");
    expect(about(one, "c s y")).toEqual([gives("Conv"), beside("Sigmoid"), noKernel]);
    const two = pictures("c = Conv(x, w) s = Sigmoid(c) l = LeakyRelu(s) y = Tanh(l)");
    expect(about(two, "s l")).toEqual([beside("Sigmoid"), beside("LeakyRelu")]);
    const last = pictures("c = Conv(x, w) y = Sigmoid(c)");
    expect(about(last, "c y")).toEqual([gives("Conv"), isOutput]);
  });

  test.each(["Add(c, t)", "Add(t, c)", "Mul(c, t)", "Concat <axis = 1> (c, t)"])(
    "%s does not, where one operand is computed in float",
    (joined) => {
      const text = pictures(
        `c = Conv(x, w) t = Tanh(z) a = ${joined} s = Sin(t) y = Conv(a, k)`,
        21,
        ", float[4,8,1,1] k",
      );
      expect(about(text, "t a s")).toEqual([
        noKernel,
        read,
        "float: Sin runs in float, and no integer kernel reads its output",
      ]);
    },
  );

  test.each(["Add(c, z)", "Mul(z, c)", "Concat <axis = 1> (z, c)"])(
    "%s does, where a kernel reads the other",
    (joined) => {
      const text = pictures(
        `c = Conv(x, w) d = Conv(z, v) a = ${joined} b = Conv(a, k) y = Add(b, d)`,
        21,
        ", float[4,8,1,1] k",
      );
      expect(about(text, "z a y")).toEqual([
        "on: an integer kernel reads this input of the model",
        follows(joined.split(/[ (]/)[0]!),
        isOutput,
      ]);
    },
  );

  test("of a joined operator only the data inputs count: bounds of a Clip may be computed", () => {
    const text = pictures(
      "c = Conv(x, w) lo = Sin(k) d = Clip(c, lo) s = Sigmoid(c) a = Add(d, s) y = Conv(a, v)",
      21,
      ", float k = {0.5}",
    );
    expect(about(text, "d lo")).toEqual([
      follows("Clip"),
      "float: Sin runs in float, and no integer kernel reads its output",
    ]);
    const left = pictures(
      `c = Conv(x, w) hi = Sin(k) d = Clip(c, "", hi) s = Sigmoid(c) a = Add(d, s) y = Conv(a, v)`,
      21,
      ", float k = {0.5}",
    );
    expect(about(left, "d"), "an input that is left out is none").toEqual([follows("Clip")]);
  });

  test("take constants as integers, and need something besides", () => {
    const constant = ", float[1,4,1,1] k, float[1,4,1,1] l";
    const text = pictures("c = Conv(x, w) m = Mul(c, k) t = Mul(z, l) y = Conv(m, v)", 21, constant);
    expect(about(text, "m k l")).toEqual([
      follows("Mul"),
      "on: the integer kernel of Mul takes its constant as integers",
      "float: a constant that no integer kernel reads",
    ]);
    const shared = pictures("c = Conv(x, w) t = Mul(z, k) m = Mul(c, k) a = Tanh(t) y = Conv(m, v)", 21, constant);
    expect(about(shared, "k t"), "whoever else reads it").toEqual([
      "on: the integer kernel of Mul takes its constant as integers",
      beside("Mul"),
    ]);
    const only = pictures("k2 = Mul(k, l) c = Conv(x, w) y = Conv(k2, v)", 21, constant);
    expect(about(only, "k2 k"), "of constants alone nothing is on integers").toEqual([
      read,
      "float: a constant that no integer kernel reads",
    ]);
    const slope = pictures("c = Conv(x, w) p = PRelu(c, k) y = Conv(p, v)", 21, constant);
    expect(about(slope, "p k")).toEqual([read, "float: a constant that no integer kernel reads"]);
    const body = pictures(
      `c = Conv(x, w) y = If (q) <then_branch = a () => (float[1,4,8,8] s) { s = Mul(c, k) }, else_branch = b () => (float[1,4,8,8] t) { t = Mul(c, k) }>`,
      21,
      constant,
    );
    expect(about(body, "c"), "a body takes no integers").toEqual([gives("Conv")]);
  });

  test("an operator of another domain is none of them, and no layer", () => {
    const follower = pictures("c = Conv(x, w) s = com.example.Sigmoid(c) y = Conv(s, v)");
    expect(about(follower, "s")).toEqual([read]);
    const layer = pictures("c = Conv(x, w) y = com.example.Conv(z, v)");
    expect(about(layer, "y z")).toEqual([isOutput, "float: no integer kernel reads this input of the model"]);
  });

  test("one that is to stay in float follows nothing, and a layer computes in float", () => {
    const text = pictures("c = Conv(x, w) s = Sigmoid(c) y = Conv(s, v)");
    expect(about(text, "s", { keepFloat: ["s"] })).toEqual([read]);
    const tail = pictures("c = Conv(x, w) s = Sigmoid(c) y = Tanh(s)");
    expect(about(tail, "s", { keepFloat: ["Sigmoid"] })).toEqual(["float: you asked for Sigmoid to stay in float"]);
    expect(about(text, "s y v", { keepFloat: ["y"] })).toEqual([
      beside("Sigmoid"),
      "float: you asked for y to stay in float",
      "float: you asked for y to stay in float",
    ]);
    expect(about(text, "c", { keepFloat: ["c"] }), "not even where its reader follows").toEqual([
      "float: you asked for c to stay in float",
    ]);
  });
});

describe("products, which give floats as readily", () => {
  test("a sum of two of them stays float: it is no reason for integers", () => {
    const text = matrices("m = MatMul(x, w) n = MatMul(z, v) a = Add(m, n) y = MatMul(a, u)");
    expect(about(text, "m n a y")).toEqual([unread("MatMul"), unread("MatMul"), read, unread("MatMul")]);
  });

  test("one that another product reads takes the sum with it", () => {
    const text = matrices("m = MatMul(x, w) n = MatMul(z, v) a = Add(m, n) b = MatMul(a, u) y = MatMul(b, m)");
    expect(about(text, "m n a b")).toEqual([
      "on: the readers of MatMul take integers",
      "on: the readers of MatMul take integers",
      follows("Add"),
      "on: the readers of MatMul take integers",
    ]);
  });

  test("are asked for integers through what only moves, by one part of several", () => {
    const text = matrices(
      `m = MatMul(x, w) a, b = Split <axis = 0, num_outputs = 2> (m) s = Sigmoid(a) t = Tanh(b) p = MatMul(s, v) y = Add(p, t)`,
    );
    expect(about(text, "m a b s")).toEqual([
      "on: the readers of MatMul take integers",
      "as m: Split only moves what m holds",
      "as m: Split only moves what m holds",
      follows("Sigmoid"),
    ]);
    const aside = matrices("m = MatMul(x, w) t = Transpose(m) y = Tanh(t)");
    expect(about(aside, "m t")).toEqual([unread("MatMul"), "float: Transpose only moves data, and m is not quantized"]);
  });

  test("of two activations both are read as integers", () => {
    const text = matrices("s = Sin(x) t = Cos(z) r = Transpose(t) y = MatMul(s, r)");
    expect(about(text, "s t r")).toEqual([read, read, "as t: Transpose only moves what t holds"]);
    const gemm =
      "f (float[4,8] x, float[8,8] z, float[8] b) => (float[4,8] y) { s = Sin(x) c = Sin(b) y = Gemm(s, z, c) }";
    expect(about(gemm, "s z c b"), "a computed bias is no operand of the product").toEqual([
      read,
      "on: an integer kernel reads this input of the model",
      "float: Sin runs in float, and no integer kernel reads its output",
      "float: no integer kernel reads this input of the model",
    ]);
  });

  test("what a body reads is read in float", () => {
    const text = `<ir_version: 8, opset_import: ["": 21]> f (float[4,8] x, bool q) => (float y) <float[8,8] w> {
      m = MatMul(x, w)
      y = If (q) <then_branch = a () => (float[4,8] s) { s = Sin(m) }, else_branch = b () => (float[4,8] t) { t = Identity(m) }> }`;
    expect(about(text, "m")).toEqual([unread("MatMul")]);
  });

  test("run their Relu with them", () => {
    const text = matrices("m = MatMul(x, w) r = Relu(m) y = MatMul(r, v)");
    expect(about(text, "m r")).toEqual([
      "float: it is computed inside MatMul + Relu, which the runtime runs as one kernel",
      "on: the readers of MatMul + Relu take integers",
    ]);
  });
});

describe("what only moves", () => {
  test("carries the encoding of integers on, and that of what a kernel reads behind it", () => {
    const behind = pictures("c = Conv(x, w) t = Transpose <perm = [0,1,3,2]> (c) a = Add(t, x) y = Conv(a, v)");
    expect(about(behind, "t a")).toEqual(["as c: Transpose only moves what c holds", follows("Add")]);
    const front = pictures(
      "s = Sin(x) t = Transpose <perm = [0,1,3,2]> (s) p = Transpose <perm = [0,1,3,2]> (t) y = Conv(p, v)",
    );
    expect(about(front, "s t p")).toEqual([
      read,
      "as s: Transpose only moves what s holds",
      "as s: Transpose only moves what s holds",
    ]);
    const nothing = pictures("c = Conv(x, w) s = Sin(z) t = Transpose <perm = [0,1,3,2]> (s) y = Add(t, c)");
    expect(about(nothing, "t")).toEqual(["float: Transpose only moves data, and s is not quantized"]);
  });

  test("a kernel behind one part of a Split is enough; the other parts go with it", () => {
    const text = pictures(
      "s = Sin(x) a, b = Split <axis = 2, num_outputs = 2> (s) t = Tanh(b) c = Conv(a, w) y = Add(c, t)",
    );
    expect(about(text, "s a b t")).toEqual([
      read,
      "as s: Split only moves what s holds",
      "as s: Split only moves what s holds",
      noKernel,
    ]);
  });

  test("a ratio of Dropout is not moved, and its mask is no data", () => {
    const text = pictures("r = Sin(k) d = Dropout(x, r) y = Conv(d, w)", 21, ", float k = {0.5}");
    expect(about(text, "r d")).toEqual([
      "float: Sin runs in float, and no integer kernel reads its output",
      "as x: Dropout only moves what x holds",
    ]);
    const mask = pictures("d, m = Dropout(x) c = Conv(d, w) y = Mul(c, m)", 9);
    expect(about(mask, "d m")).toEqual([
      "as x: Dropout only moves what x holds",
      "float: the further outputs of Dropout are no data",
    ]);
  });

  test("a weight that is moved as data has no encoding of activations to share", () => {
    const text = matrices("m = MatMul(x, w) t = Transpose(w) s = Sin(t) y = Add(m, s)");
    expect(about(text, "t")).toEqual(["float: Transpose only moves data, and w is not quantized"]);
    const operand = matrices(
      "m = MatMul(x, w) a = Add(m, w) b = MatMul(a, v) p = MatMul(b, m) t = Transpose(w) s = Sin(t) y = Add(p, s)",
    );
    expect(about(operand, "a t"), "though a sum takes it as integers").toEqual([
      follows("Add"),
      "float: Transpose only moves data, and w is not quantized",
    ]);
  });

  test("nearest neighbours are picked, other pixels are computed", () => {
    const resized = (mode: string) =>
      pictures(
        `c = Conv(x, w) r = Resize <mode = "${mode}"> (c, "", s) y = Conv(r, v)`,
        21,
        ", float[4] s = {1, 1, 2, 2}",
      );
    expect(about(resized("nearest"), "r")).toEqual(["as c: Resize only moves what c holds"]);
    expect(about(resized("linear"), "r")).toEqual([read]);
    const crop = pictures(
      `c = Conv(x, w) r = Resize <mode = "nearest", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 5.0> (c, roi, s) y = Conv(r, v)`,
      21,
      ", float[4] s = {1, 1, 2, 2}, float[8] roi = {0, 0, 0, 0, 1, 1, 2, 2}",
    );
    expect(about(crop, "r"), "beyond the picture stands another number").toEqual([read]);
  });

  test("what is to stay in float moves no integers on", () => {
    const text = pictures("c = Conv(x, w) t = Transpose <perm = [0,1,3,2]> (c) s = Sin(t) y = Conv(s, v)");
    expect(about(text, "t", { keepFloat: ["Transpose"] })).toEqual(["float: you asked for Transpose to stay in float"]);
    expect(about(text, "t")).toEqual(["as c: Transpose only moves what c holds"]);
  });

  test("a mask that is filled in has no grid, whoever reads it", () => {
    const text = pictures(
      "c = Conv(x, w) p = Pad(c, pads, fill) y = Conv(p, v)",
      21,
      ", int64[8] pads = {0,0,1,1,0,0,1,1}, float fill = {-10000}",
    );
    expect(about(text, "p")).toEqual(["float: Pad fills in -10000, and a grid that holds it holds nothing else"]);
  });
});

describe("who reads the float beside the integers", () => {
  test("operators in float, and the outside; not kernels, what follows them, or what moves on", () => {
    const text = (outputs: string) =>
      pictures(
        "s = Sin(x) c = Conv(s, w) a = Add(c, s) t = Transpose <perm = [0,1,3,2]> (s) d = Conv(t, u) n = Tanh(s) y = Conv(a, v)",
      ).replace("(float y)", `(${outputs})`);
    expect(floatReaders(text("float y, float n, float d"), "s")).toEqual(["n"]);
    expect(floatReaders(text("float y, float s, float d, float n"), "s")).toEqual(["s", "n"]);
    // What a kernel returns, or moves on, is there as integers only.
    for (const value of ["c", "a", "t"])
      expect(floatReaders(text("float y, float n, float c, float t"), value)).toBeUndefined();
  });

  test("a reader of what is moved reads what the moved integers say", () => {
    const text = pictures("t = Transpose <perm = [0,1,3,2]> (x) c = Conv(t, w) n = Tanh(t) y = Add(c, n)");
    for (const value of ["x", "t"]) expect(floatReaders(text, value)).toBeUndefined();
    const kept = planOf(pictures("c = Conv(x, w) t = Transpose <perm = [0,1,3,2]> (x) y = Add(c, t)"), {
      keepFloat: ["t"],
    });
    expect(kept.entries.find((entry) => entry.value === "x")!.floatReaders, "unless it is to stay in float").toEqual([
      "t",
    ]);
  });

  test("what a kernel reads behind it reads the float; a padding that is merged does not", () => {
    const text = pictures("s = Sin(x) c = Conv(s, w) t = Tanh(s) d = Conv(t, v) y = Add(c, d)");
    expect(floatReaders(text, "s")).toEqual(["t"]);
    const pads = ", int64[8] pads = {0,0,1,1,0,0,1,1}";
    const padded = pictures("s = Sin(x) p = Pad(s, pads) c = Conv(p, w) n = Tanh(s) y = Conv(c, v)", 21, pads);
    expect(floatReaders(padded, "s")).toEqual(["n"]);
  });

  test("a body reads what everybody gets", () => {
    const text = pictures(
      `s = Sin(x) c = Conv(s, w) y = If (q) <then_branch = a () => (float[1,4,8,8] m) { m = Tanh(s) }, else_branch = b () => (float[1,4,8,8] t) { t = Identity(c) }>`,
    );
    expect(floatReaders(text, "s")).toBeUndefined();
  });
});

describe("convolutions that are narrow", () => {
  const thin = ", float[8,3,1,1] t, float[8,1,3,3] d, float[8,8,1,1] k, float[8,3] g";
  const rgb = (body: string) => pictures(body, 21, thin).replace("float[1,4,8,8] x", "float[1,3,8,8] x");
  const few = "float: a Conv of fewer than 4 input channels is faster in float than on integers";
  const depthwise = "float: a depthwise Conv of fewer than 16 channels is faster in float than on integers";

  test("stay float, and what they give is integers where a kernel reads it", () => {
    expect(about(rgb("c = Conv(x, t) n = Tanh(c) y = Conv(n, k)"), "x t c n")).toEqual([
      "float: no integer kernel reads this input of the model",
      few,
      few,
      read,
    ]);
    expect(about(rgb("c = Conv(x, t) r = Relu(c) y = Conv(r, k)"), "r t")).toEqual([read, few]);
    expect(about(rgb("c = Conv(x, t) e = Conv <group = 8> (c, d) n = Tanh(e) y = Conv(n, k)"), "c e d")).toEqual([
      few,
      depthwise,
      depthwise,
    ]);
  });

  test("but not where they are the only layers, whatever else there is", () => {
    expect(about(rgb("c = Conv(x, t) r = Relu(c) e = Conv <group = 8> (r, d) y = Tanh(e)"), "x r e")).toEqual([
      "on: an integer kernel reads this input of the model",
      gives("Conv + Relu"),
      gives("Conv"),
    ]);
    const foreign = rgb("c = Conv(x, t) s = com.example.Conv(c, k) y = Tanh(s)");
    expect(about(foreign, "x"), "a layer of another domain is none").toEqual([
      "on: an integer kernel reads this input of the model",
    ]);
  });

  test("inside the model, too; other layers and kernels of unknown shape are another matter", () => {
    const inside = rgb("s = Sin(x) c = Conv(s, t) y = Conv(c, k)");
    expect(about(inside, "s c t")).toEqual([
      "float: Sin runs in float, and no integer kernel reads its output",
      read,
      few,
    ]);
    const text = `<ir_version: 8, opset_import: ["": 21]> f (float[2,3] a) => (float y) <float[3,3] g, float[3,8] h> { m = Gemm(a, g) r = Tanh(m) y = MatMul(r, h) }`;
    expect(about(text, "a g").map((one) => one.split(":")[0])).toEqual(["on", "on"]);
    const computed = pictures("k = Sin(u) c = Conv(x, w) y = Conv(c, k)");
    expect(about(computed, "c k"), "a kernel of unknown shape is not narrow").toEqual([gives("Conv"), read]);
    const grouped = pictures("k = Sin(u) c = Conv(x, w) y = Conv <group = 4> (c, k)");
    expect(about(grouped, "c k"), "grouped or not").toEqual([gives("Conv"), read]);
  });
});

test("an AveragePool between convolutions stays float, and what it gives is integers for the next; a global one follows", () => {
  const slow = "float: its integer kernel is many times slower than the float one (GlobalAveragePool's is not)";
  const pooled = (op: string, rest: string) => pictures(`c = Conv(x, w) p = ${op} (c) ${rest}`);
  expect(about(pooled("AveragePool <kernel_shape = [3,3]>", "y = Conv(p, v)"), "c p")).toEqual([gives("Conv"), read]);
  expect(about(pooled("AveragePool <kernel_shape = [3,3]>", "y = Relu(p)"), "p")).toEqual([slow]);
  expect(about(pooled("GlobalAveragePool", "y = Conv(p, v)"), "p")).toEqual([
    "on: GlobalAveragePool runs on integers between integer kernels",
  ]);
});

test("integers are not placed", () => {
  const text = pictures("c = Conv(x, w) y = Conv(c, v) n = ArgMax <axis = 1> (c)").replace(
    "(float y)",
    "(float y, int64[1,1,8,8] n)",
  );
  expect(about(text, "n c")).toEqual(["float: undefined", gives("Conv")]);
});
