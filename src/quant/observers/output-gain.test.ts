/** Squared gains against hand-computed ones. */
import { describe, expect, test } from "vitest";
import { type Model, parseModel, staticShape } from "../../ir/inner.ts";
import { OutputGains } from "./output-gain.ts";

function model(body: string, constants: string, output = "float[1,2,4,4] y"): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[1,2,4,4] x) => (${output})
    <${constants}> { ${body} }`);
}

/** Two channels everywhere but in c, which has four, and in s, which has none. */
function gainsAt(graph: Model, name: string) {
  const told: Record<string, number | undefined> = { c: 4, s: undefined };
  const gains = new OutputGains(({ name, type }) => staticShape(type)?.[1] ?? (name in told ? told[name] : 2));
  return gains.of(graph.graph.valuesByName().get(name)!);
}

const weights = "float[2,2,1,1] w = {3.0, 0.0, 4.0, 2.0}";

describe("output gains", () => {
  test("a convolution: the energy of each input channel's weights", () => {
    const gains = gainsAt(model("y = Conv(x, w)", weights), "x")!;
    expect([...gains.above]).toEqual([25, 4]);
    expect(gains.below).toEqual(gains.above);
  });

  test("grouped convolutions and transposed ones", () => {
    const grouped = model("y = Conv <group = 2> (x, w)", "float[2,1,1,2] w = {1.0, 2.0, 3.0, 0.0}", "float[1,2,4,3] y");
    expect([...gainsAt(grouped, "x")!.above]).toEqual([5, 9]);
    const transposed = model("y = ConvTranspose(x, w)", weights);
    expect([...gainsAt(transposed, "x")!.above]).toEqual([9, 20]);
  });

  test("a slope counts below zero, a batch norm scales, an addition mixes the signs", () => {
    const slope = model("p = PRelu(x, s) y = Conv(p, w)", `${weights}, float[2,1,1] s = {0.5, 0.1}`);
    const gains = gainsAt(slope, "x")!;
    expect([...gains.above]).toEqual([25, 4]);
    expect(gains.below[0]).toBeCloseTo(25 / 4, 12);
    expect(gains.below[1]).toBeCloseTo(0.04, 7);
    const norm = model(
      "a = Add(x, x) n = BatchNormalization <epsilon = 0.0> (a, g, b, b, v) r = Relu(n) y = Conv(r, w)",
      `${weights}, float[2] g = {2.0, 1.0}, float[2] b = {0.0, 0.0}, float[2] v = {1.0, 4.0}`,
    );
    // Half of the numbers survive the Relu: 25/2 · 2², 4/2 / 4; both operands of the addition read x.
    expect([...gainsAt(norm, "a")!.above]).toEqual([50, 0.5]);
    expect([...gainsAt(norm, "x")!.above]).toEqual([50, 0.5]);
  });

  test("readers add up, and what nobody understands is left out", () => {
    const both = model(
      "y = Conv(x, w) z = Conv(x, w) q = Sin(x)",
      weights,
      "float[1,2,4,4] y, float[1,2,4,4] z, float[1,2,4,4] q",
    );
    expect([...gainsAt(both, "x")!.above]).toEqual([50, 8]);
    expect(gainsAt(model("y = Sin(x)", weights), "x")).toBeNull();
  });

  test("a Clip takes away the sides of zero that lie beyond its bounds, and only those", () => {
    const gains = (low: number, high: number) =>
      gainsAt(
        model("k = Clip(x, lo, hi) y = Conv(k, w)", `${weights}, float lo = {${low}}, float hi = {${high}}`),
        "x",
      )!;
    const sides = ({ above, below }: ReturnType<typeof gains>) => [above[0], below[0]];
    expect(sides(gains(0, 6))).toEqual([25, 0]);
    expect(sides(gains(-0.5, 1.5))).toEqual([25, 25]);
    expect(sides(gains(-1, 0))).toEqual([0, 25]);
    expect(sides(gainsAt(model("k = Clip(x) y = Conv(k, w)", weights), "x")!)).toEqual([25, 25]);
  });

  test("a reader that nobody understands, or the model's output, may see what a Relu beside it does not", () => {
    const output = "float[1,2,4,4] y, float[1,2,4,4] z";
    const strange = gainsAt(model("r = Relu(x) y = Conv(r, w) z = Sin(x)", weights, output), "x")!;
    expect([...strange.below]).toEqual([25, 4]);
    const returned = gainsAt(model("z = Identity(x) r = Relu(z) y = Conv(r, w)", weights, output), "z")!;
    expect([...returned.below]).toEqual([25, 4]);
    expect([...gainsAt(model("r = Relu(x) y = Conv(r, w)", weights), "x")!.below]).toEqual([0, 0]);
  });

  test("a concatenation passes on each part's share", () => {
    const graph = model(
      "r = Relu(x) c = Concat <axis = 1> (x, r) y = Conv(c, w)",
      "float[1,4,1,1] w = {1.0, 2.0, 3.0, 4.0}",
      "float[1,1,4,4] y",
    );
    expect([...gainsAt(graph, "r")!.above]).toEqual([9, 16]);
    expect([...gainsAt(graph, "x")!.above]).toEqual([10, 20]);
    expect([...gainsAt(graph, "x")!.below]).toEqual([1, 4]);
  });
});

test("a layout that is not the value's is left out, a flattened one followed", () => {
  const flat = parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[1,2,4,4] x) => (float[1,2] y)
    <float[2,2] w = {3.0, 0.0, 4.0, 2.0}> { p = GlobalAveragePool(x) f = Flatten(p) y = Gemm <transB = 1> (f, w) }`);
  expect([...gainsAt(flat, "x")!.above]).toEqual([25, 4]);
  const wide = new OutputGains((value) => (value.name === "f" ? 32 : 2));
  expect(wide.of(flat.graph.valuesByName().get("x")!)).toBeNull();
});

describe("readers that are followed only so far", () => {
  const grown = "float[2] g = {2.0, 1.0}, float[2] v = {3.0, 8.0}, float[2] b = {0.0, 0.0}";
  const gainOf = (body: string, constants = weights, name = "x") => {
    const graph = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[1,2,4,4] x, float[2] t, float[2,2,1,1] k) => (y) <${constants}> { ${body} }`);
    const gains = gainsAt(graph, name);
    return gains && [[...gains.above], [...gains.below]];
  };

  test.each<[string, string, string, number[][] | null]>([
    [
      "a LeakyRelu: its slope below zero",
      "l = LeakyRelu <alpha = 0.5> (x) y = Conv(l, w)",
      weights,
      [
        [25, 4],
        [6.25, 1],
      ],
    ],
    [
      "a Gemm as it is stored",
      "p = GlobalAveragePool(x) f = Flatten(p) y = Gemm(f, w)",
      "float[2,2] w = {3.0, 0.0, 4.0, 2.0}",
      [
        [9, 20],
        [9, 20],
      ],
    ],
    [
      "epsilon counts",
      `n = BatchNormalization <epsilon = 1.0> (x, g, b, b, v) y = Conv(n, w)`,
      `${weights}, ${grown}`,
      [
        [25, 4 / 9],
        [25, 4 / 9],
      ],
    ],
    [
      "one of the channels counts nothing, above zero",
      "r = Relu(x) y = Conv(r, w)",
      "float[1,2,1,1] w = {0.0, 2.0}",
      [
        [0, 4],
        [0, 0],
      ],
    ],
    [
      "and below",
      "z = Clip(x, lo, hi) y = Conv(z, w)",
      "float[1,2,1,1] w = {0.0, 2.0}, float lo = {-1.0}, float hi = {0.0}",
      [
        [0, 0],
        [0, 4],
      ],
    ],
    ["no channel counts anything", "y = Conv(x, w)", "float[1,2,1,1] w = {0.0, 0.0}", null],
    [
      "a Clip with a computed bound",
      "p = ReduceMax <keepdims = 0> (t) z = Clip(x, p) y = Conv(z, w)",
      weights,
      [
        [25, 4],
        [25, 4],
      ],
    ],
    ["computed weights", "y = Conv(x, k)", weights, null],
    ["a computed slope", "p = PRelu(x, t) y = Conv(p, w)", weights, null],
    [
      "a slope along another axis",
      "p = PRelu(x, o) y = Conv(p, w)",
      `${weights}, float[4] o = {1.0, 2.0, 3.0, 4.0}`,
      null,
    ],
    ["a computed scale", "n = BatchNormalization(x, t, b, b, v) y = Conv(n, w)", `${weights}, ${grown}`, null],
    ["a computed variance", "n = BatchNormalization(x, g, b, b, t) y = Conv(n, w)", `${weights}, ${grown}`, null],
    ["a concatenation along another axis", "n = Neg(x) o = Concat <axis = 2> (x, n) y = Conv(o, w)", weights, null],
    [
      "a part without known channels",
      "s = Sin(x) c = Concat <axis = 1> (x, s) y = Conv(c, w)",
      "float[1,4,1,1] w = {1.0, 2.0, 3.0, 4.0}",
      null,
    ],
    ...["n = BatchNormalization(x, g, b, b, v)", "n = LeakyRelu(x)", "n = Clip(x, v)", "n = Concat <axis = 1> (x)"].map(
      (reader): [string, string, string, null] => [
        `${reader} and nobody behind it`,
        `${reader} y = Sin(n)`,
        grown,
        null,
      ],
    ),
  ])("%s", (_, body, constants, wanted) => {
    const near = wanted?.map((side) => side.map((gain) => expect.closeTo(gain, 6)));
    expect(gainOf(body, constants)).toEqual(near ?? null);
  });

  test("what a batch norm adds is no input that it multiplies", () => {
    expect(gainOf("n = BatchNormalization(x, g, t, b, v) y = Conv(n, w)", `${weights}, ${grown}`, "t")).toBeNull();
  });

  test("groups of two channels each", () => {
    const grouped = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[1,4,2,2] x) => (y) <float[2,2,1,1] w = {3.0, 0.0, 4.0, 2.0}> { y = Conv <group = 2> (x, w) }`);
    expect([...gainsAt(grouped, "x")!.above]).toEqual([9, 0, 16, 4]);
  });

  test("each value is looked at once, however many ways lead there", () => {
    const steps = Array.from({ length: 12 }, (_, i) => `r${i} = Relu(a${i}) a${i + 1} = Add(a${i}, r${i})`);
    const graph = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[1,2,4,4] a0) => (y) <${weights}> { ${steps.join(" ")} y = Conv(a12, w) }`);
    let asked = 0;
    const gains = new OutputGains(() => {
      asked++;
      return 2;
    });
    gains.of(graph.graph.valuesByName().get("a0")!);
    expect(asked).toBe(25);
  });
});
