/** Classifiers written as convolutions: scores in float from weights that are stored as integers. */
import { describe, expect, test } from "vitest";
import { about, gives, pictures, planOf } from "../../../test/kernel-placement.ts";
import { inferTypes } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";

describe("convolutions that give scores at one position", () => {
  const classes = ", float[5,4,1,1] s, float[5] b, float[4,5,1,1] t, float[4,4,1,1] t2";
  const net = (body: string) => pictures(`c = Conv(x, w) p = GlobalAveragePool(c) ${body}`, 21, classes);
  const known = (text: string) => ({ shapes: inferTypes(parseModel(text, { seed: 1 })) });
  const scores = "float: it gives scores at one position: integers of Conv would make ties, and float takes no longer";

  test("compute in float from weights that are stored as integers", () => {
    const text = net("d = Conv(p, s, b) f = Flatten(d) y = Softmax(f)");
    expect(about(text, "p d f", known(text))).toEqual([
      "float: GlobalAveragePool has float beside it: integers would have to be turned back at once",
      scores,
      "float: Flatten only moves data, and d is not quantized",
    ]);
    const entry = (value: string) => planOf(text, known(text)).entries.find((one) => one.value === value);
    expect([entry("s")?.kind, entry("s")?.grid, entry("b")]).toEqual([
      "weight",
      { kind: "int", bits: 8, signed: true },
      undefined,
    ]);
  });

  test.each([
    ["a layer follows", "d = Conv(p, s, b) r = Relu(d) y = Conv(r, t)", "r", gives("Conv + Relu")],
    ["one follows behind a gate", "d = Conv(p, t2) h = Sigmoid(d) m = Mul(c, h) y = Conv(m, v)", "d", gives("Conv")],
    ["there are several positions", "y = Conv(c, s, b)", "y", gives("Conv")],
  ])("but not where %s", (_, body, value, wanted) => {
    const text = net(body);
    expect(about(text, value, known(text))).toEqual([wanted]);
  });

  test("and not where they are the only layers", () => {
    const text = pictures("p = GlobalAveragePool(x) d = Conv(p, s, b) y = Softmax(d)", 21, classes);
    expect(about(text, "d", known(text))).toEqual([gives("Conv")]);
  });

  test("nor where nothing is known of their positions, or they have none, or one of their axes is longer", () => {
    const text = net("d = Conv(p, s, b) y = Softmax(d)");
    expect(about(text, "d")).not.toEqual([scores]);
    expect(about(text, "d", known(text))).toEqual([scores]);
    const line = net("k = ReduceMean <keepdims = 1> (c, axis) d = Conv(k, s, b) y = Softmax(d)").replace(
      "<float[4,4,1,1] w",
      "<int64[1] axis = {2}, float[4,4,1,1] w",
    );
    expect(about(line, "d", known(line))).not.toEqual([scores]);
  });

  test("nor where a body computes further, or reads them", () => {
    const branch = (name: string, body: string) => `${name} () => (float[1,5,1,1] ${name}_out) { ${body} }`;
    const choice = (of: string) =>
      `y = If (q) <then_branch = ${branch("a", `a_out = Neg(${of})`)}, else_branch = ${branch("b", `b_out = Neg(${of})`)}>`;
    const read = net(`d = Conv(p, s, b) ${choice("d")}`);
    expect(about(read, "d", known(read))).not.toEqual([scores]);
    const loop = net(
      "d = Conv(p, s, b) e = ReduceMax(d) g = Cast <to = 9> (e) y = If (g) <then_branch = a () => (float[1] a_out) { a_out = Constant <value_floats = [1.0]> () }, else_branch = b () => (float[1] b_out) { b_out = Constant <value_floats = [2.0]> () }>",
    );
    expect(about(loop, "d", known(loop))).not.toEqual([scores]);
  });

  test("several ways to the end are gone once each", () => {
    const text = net(
      "d = Conv(p, s, b) m = Tanh(d) n = Neg(m) o = Add(m, n) e = Flatten <axis = 1> (o) y = Softmax <axis = -1> (e)",
    );
    expect(about(text, "d", known(text))).toEqual([scores]);
  });
});

describe("convolutions at one position whose integers nobody takes", () => {
  const classes = ", float[4,4,1,1] s, float[4,4,1,1] t";
  const net = (body: string) => pictures(`c = Conv(x, w) p = GlobalAveragePool(c) ${body}`, 21, classes);
  const known = (text: string) => ({ shapes: inferTypes(parseModel(text, { seed: 1 })) });
  const float = "float: its readers take float, and at one position Conv takes no longer in float";

  test("compute in float from weights that are stored as integers, and so do those that only they read", () => {
    const text = net("d = Conv(p, s) r = Relu(d) e = Conv(r, t) h = Tanh(e) m = Mul(c, h) y = Conv(m, v)");
    expect(about(text, "r e", known(text))).toEqual([float, float]);
    expect(
      planOf(text, known(text))
        .entries.filter(({ kind }) => kind === "weight")
        .map(({ value }) => value),
    ).toEqual(expect.arrayContaining(["s", "t"]));
  });
});

describe("layers that read magnitudes of a spectrum", () => {
  const net = (square: string) =>
    pictures(`c = Conv(x, w) r = Relu(c) ${square} m = Add(a, b) g = Sqrt(m) y = Conv(g, v)`, 21, ", float two = {2}");

  test.each(["a = Pow(r, two) b = Mul(c, c)", "a = Mul(r, r) b = Pow(c, two)"])("compute in float: %s", (square) => {
    expect(about(net(square), "g y")).toEqual([
      "float: Sqrt runs in float, and no integer kernel reads its output",
      "float: magnitudes of a spectrum do not fit into 8 bits",
    ]);
  });

  test("and not those of other roots", () => {
    expect(about(net("a = Mul(r, c) b = Pow(c, two)"), "y")).toEqual([gives("Conv")]);
  });
});
