/** Which nodes of an optimised graph are those of the file, and why the rest runs in float: graphs by hand. */
import { describe, expect, test } from "vitest";
import { planOf } from "../../../test/hand-made-plan.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { kernelReport } from "./kernel-report.ts";

function parse(body: string, outputs = "y"): Model {
  return parseModel(
    `<ir_version: 10, opset_import: ["": 21]>
    g (float[4,4] x, float u) => (${outputs})
    <float s = {0.5}, uint8 z = {10}, uint8 z0 = {0}, int8 i = {-128}, int8 i0 = {0}, uint16 z16 = {0}, int16 i16 = {0},
     float sixth = {0.023529412}, float tenth = {0.1}, float lo = {0}, float hi = {6},
     int8[4,4] w, int16[4,4] w16, float[4,4] v, float[4] b, float[2,4] many> {
      xq = QuantizeLinear(x, s, z)
      xd = DequantizeLinear(xq, s, z)
      wd = DequantizeLinear(w, s, i0)
      ${body}
    }`,
    { seed: 1 },
  );
}

/** Why the node that returns `p` runs in float. */
function reasonOf(body: string, outputs = "y"): string {
  const model = parse(body, outputs);
  const node = [...model.graph.nodes].find(({ output }) => output.name === "p")!;
  const plan = { ...planOf(), notQuantized: [{ value: "b", reason: "kept on purpose" }] };
  const [found] = kernelReport({ products: [{ nodes: [node], weight: undefined }] as never }, model, plan);
  expect(found).toMatchObject({ node: `${node}`, integer: false, kernel: node.op });
  return found!.reason!;
}

const behind = (rest: string) => `p = Conv(xd, wd, b) ${rest}`;
const unknown = "ONNX Runtime left it in float for a reason that Avocet does not know";
const beyond = (op: string, from: string, to: string) =>
  new RegExp(
    `^the grid behind ${op} .*reaches from ${from} to ${to}, beyond its bounds: the ${op} cannot be left out$`,
  );

describe("in float, because", () => {
  test.each<[string, string | RegExp]>([
    ["p = Conv(xd, v) y = QuantizeLinear(p, s, z)", "its weight is not quantized"],
    ["p = Gemm(xd, b) y = QuantizeLinear(p, s, z)", "kept on purpose"],
    ["p = ConvTranspose(xd, wd) y = QuantizeLinear(p, s, z)", "ONNX Runtime has no integer ConvTranspose on CPU"],
    ["p = MatMul(x, wd) y = QuantizeLinear(p, s, z)", "its input x is not quantized"],
    ["h = Max(wd) p = MatMul(xd, h) y = QuantizeLinear(p, s, z)", "its input h is not quantized"],
    [
      "k = DequantizeLinear <axis = 0, block_size = 2> (w, many) h = Max(k) p = MatMul(xd, h) y = QuantizeLinear(p, s, z)",
      "its weight has a scale per block, and the integer kernels take one per channel",
    ],
    [
      "k = DequantizeLinear(w16, s, i16) p = MatMul(xd, k) y = QuantizeLinear(p, s, z)",
      "its weight is int16, and the integer kernels take 8 bits",
    ],
    [
      "q = QuantizeLinear(x, s, z16) k = DequantizeLinear(q, s, z16) p = MatMul(k, wd) y = QuantizeLinear(p, s, z)",
      "its input is uint16, and the integer kernels take 8 bits",
    ],
    ["k = DequantizeLinear(w, s) p = Conv(xd, k, b) y = QuantizeLinear(p, s, z)", unknown],
    ["p = MatMul(wd, xd) y = QuantizeLinear(p, s, z)", "its constant is the first factor"],
    ["p = Gemm(wd, xd) y = QuantizeLinear(p, s, z)", unknown],
    ["p = Gemm <alpha = 2.0> (xd, wd) y = QuantizeLinear(p, s, z)", "alpha or beta of Gemm is not 1"],
    ["p = Gemm <beta = 2.0> (xd, wd) y = QuantizeLinear(p, s, z)", "alpha or beta of Gemm is not 1"],
    [behind("y = QuantizeLinear(p, s, z)"), unknown],
    [behind("y = Neg(x)"), "nobody reads its output"],
    [behind("a = QuantizeLinear(p, s, z) c = Neg(p) y = Neg(c)"), "2 operators read its float output"],
    [behind("a = Sigmoid(p) y = QuantizeLinear(a, s, z)"), /^its float output goes to Sigmoid/],
    [behind("a = Relu(p) y = Neg(a)"), /^its float output goes to Relu.*not only quantized$/],
    [
      behind("a = Relu(p) q = QuantizeLinear(a, s, z0) y = Neg(a)"),
      /^its float output goes to Relu.*not only quantized$/,
    ],
    [behind("a = Relu(p) y = QuantizeLinear(a, s, z)"), beyond("Relu", "-5.000", "122.5")],
    [behind("a = Relu(p) y = QuantizeLinear(a, s, i0)"), beyond("Relu", "-64.00", "63.50")],
    [behind("a = Relu(p) y = QuantizeLinear(a, s, z0)"), unknown],
    [behind("a = Relu(p) y = QuantizeLinear(a, s, i)"), unknown],
    [behind("a = Relu(p) y = QuantizeLinear(a, s)"), unknown],
    [behind("a = Clip(p, lo, hi) y = QuantizeLinear(a, sixth, z0)"), unknown],
    [behind("a = Clip(p, lo, hi) y = QuantizeLinear(a, tenth, z0)"), beyond("Clip", "0.000", "25.50")],
    [behind("a = Clip(p, u, hi) y = QuantizeLinear(a, sixth, z0)"), /^the bounds of Clip.* are computed$/],
    [
      "p = MatMul(xd, wd) a = Clip(p, lo, hi) y = QuantizeLinear(a, sixth, z0)",
      "ONNX Runtime does not run MatMul and Clip as one",
    ],
    ["p = MatMul(xd, wd) a = Relu(p) y = QuantizeLinear(a, s, z0)", unknown],
    ["p = Gemm(xd, wd) a = Clip(p, lo, hi) y = QuantizeLinear(a, sixth, z0)", unknown],
  ])("%s", (body, wanted) => {
    if (typeof wanted === "string") expect(reasonOf(body)).toBe(wanted);
    else expect(reasonOf(body)).toMatch(wanted);
  });

  test("it is an output", () => {
    const found = reasonOf(behind("y = QuantizeLinear(p, s, z)"), "y, p");
    expect(found).toBe("its output is an output of the model and not quantized");
  });
});

describe("the node that runs for one of the file", () => {
  /** Whether an integer kernel of this name, which reads the weight, is taken for the node. */
  function runs(name: string, candidate: string, body = "p = MatMul(xd, wd) y = Neg(p)", weight = "w"): boolean {
    const model = parse(body);
    const node = [...model.graph.nodes].find(({ output }) => output.name === "p")!;
    node.name = name;
    const optimized = parse(`y = QLinearConv(x, ${weight})`);
    [...optimized.graph.nodes].find(({ op }) => op === "QLinearConv")!.name = candidate;
    const stored = model.graph.valuesByName().get("w");
    return kernelReport({ products: [{ nodes: [node], weight: stored }] as never }, optimized, planOf())[0]!.integer;
  }

  test.each([
    ["n", "n", true],
    ["n", "n/MatMulAddFusion", true],
    ["n", "n_token_1", true],
    ["n", "n_token_12", true],
    ["n", "n_token_12b", false],
    ["n", "nn_token_1", false],
    ["n", "n_token_", false],
    ["n", "m", false],
    ["n", "", false],
    ["", "", true],
    ["", "anything", true],
  ])("%s as %s: %s", (name, candidate, wanted) => {
    expect(runs(name, candidate)).toBe(wanted);
  });

  test("without a name it is the one that reads its weight, if that is read once", () => {
    expect(runs("", "", undefined, "w16")).toBe(false);
    expect(runs("", "", "e = DequantizeLinear(w, s) p = MatMul(xd, wd) y = Neg(p)")).toBe(false);
  });

  test("any of the nodes that a product became", () => {
    const model = parse("p = MatMul(xd, wd) y = Neg(p)");
    const [first, last] = ["p", "y"].map((name) => model.graph.valuesByName().get(name)!.producer!) as never as [
      { name: string },
      { name: string },
    ];
    [first.name, last.name] = ["first", "last"];
    const optimized = parse("y = QGemm(x, w)");
    [...optimized.graph.nodes].find(({ op }) => op === "QGemm")!.name = "first";
    const [found] = kernelReport(
      { products: [{ nodes: [first, last], weight: undefined }] as never },
      optimized,
      planOf(),
    );
    expect(found).toEqual({ node: `${last}`, integer: true, kernel: "QGemm" });
  });
});
