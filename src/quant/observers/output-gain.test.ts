/** Squared gains against hand-computed ones, and the useful range of values that readers clip. */
import { describe, expect, test } from "vitest";
import { type Model, parseModel, staticShape } from "../../ir/inner.ts";
import { OutputGains } from "./output-gain.ts";
import { usefulRange } from "./useful-range.ts";

function model(body: string, constants: string, output = "float[1,2,4,4] y"): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": 21]>
    g (float[1,2,4,4] x) => (${output})
    <${constants}> { ${body} }`);
}

function gainsAt(graph: Model, name: string) {
  const gains = new OutputGains((value) => staticShape(value.type)?.[1] ?? (value.name === "c" ? 4 : 2));
  return gains.of(graph.graph.valuesByName().get(name)!);
}

function rangeOf(graph: Model, ...names: string[]) {
  const values = graph.graph.valuesByName();
  return usefulRange(names.map((name) => values.get(name)!));
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

describe("useful range", () => {
  test("Relu, Clip, and both behind data movement", () => {
    expect(rangeOf(model("y = Relu(x)", weights), "x")).toEqual([0, Number.POSITIVE_INFINITY]);
    const six = `${weights}, float lo = {0.0}, float hi = {6.0}`;
    expect(rangeOf(model("y = Clip(x, lo, hi)", six), "x")).toEqual([0, 6]);
    expect(rangeOf(model("t = Transpose(x) y = Clip(t, lo, hi)", six), "x")).toEqual([0, 6]);
  });

  test("every reader and every value of a group counts, and outputs keep everything", () => {
    const two = model("a = Relu(x) y = Sin(x)", weights);
    expect(rangeOf(two, "x")[0]).toBe(Number.NEGATIVE_INFINITY);
    const group = model("a = Relu(x) b = Sin(a) y = Relu(b)", weights);
    expect(rangeOf(group, "x")).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(rangeOf(group, "x", "a")[0]).toBe(Number.NEGATIVE_INFINITY);
    expect(rangeOf(group, "y")[0]).toBe(Number.NEGATIVE_INFINITY);
  });
});
