/** Recurrent layers that were written out, in the spellings of exporters, become operators with the same outputs. */
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { normalise, runPass, unrollRecurrent } from "../inner.ts";
import { recogniseCells } from "./recognise-cells.ts";

/** The same sums in another order, a few steps deep, of values below ten. */
const near = { atol: 2e-6, rtol: 2e-6 };
const operators = (model: Model) => [...model.graph.nodes].filter(({ op }) => ["LSTM", "GRU", "RNN"].includes(op));

async function recognised(before: Model): Promise<{ after: Model; edits: number; reasons: readonly string[] }> {
  const after = cloneModel(before);
  const { edits, refusals } = await runPass(after, recogniseCells);
  return { after, edits, reasons: refusals.map(({ reason }) => reason) };
}

async function expectRecognised(text: string, op: string, layers = 1): Promise<Model> {
  const before = parseModel(`<ir_version: 10, opset_import: ["" : 21]> ${text}`, { seed: 5 });
  const { after, reasons } = await recognised(before);
  expect(reasons).toEqual([]);
  expect(operators(after).map((node) => node.op)).toEqual(Array(layers).fill(op));
  expect([...after.graph.nodes].map((node) => node.op)).not.toContain("MatMul");
  await expectSameOutputs(before, after, near);
  return after;
}

describe("what unroll-recurrent wrote", () => {
  const zoo = (["LSTM", "GRU", "RNN"] as const).flatMap((op) =>
    ["forward", "reverse", "bidirectional"].flatMap((direction) =>
      [true, false].flatMap((given) => [0, 1].map((linear) => ({ op, direction, given, linear, steps: 5 }))),
    ),
  );
  const single = (["LSTM", "GRU"] as const).map((op) => ({
    op,
    direction: "forward",
    given: true,
    linear: 1,
    steps: 1,
  }));
  test.each([...zoo, ...single].filter(({ op, linear }) => op === "GRU" || linear === 1))(
    "$op $direction, states and bias $given, linear_before_reset $linear, $steps steps",
    async ({ op, direction, given, linear, steps }) => {
      const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
      const d = direction === "bidirectional" ? 2 : 1;
      const isLstm = op === "LSTM";
      const states = `, float[${d},2,4] h0${isLstm ? `, float[${d},2,4] c0` : ""}`;
      const written = parseModel(
        `<ir_version: 10, opset_import: ["" : 21]> f (float[${steps},2,3] x${given ? states : ""}) => (y, h${isLstm ? ", c" : ""})
           <float[${d},${gates * 4},3] w, float[${d},${gates * 4},4] r, float[${d},${gates * 8}] b>
           { y, h${isLstm ? ", c" : ""} = ${op} <hidden_size = 4, direction = "${direction}"${op === "GRU" ? `, linear_before_reset = ${linear}` : ""}>
             (x, w, r${given ? `, b, "", h0${isLstm ? ", c0" : ""}` : ""}) }`,
        { seed: 3 },
      );
      expect((await runPass(written, unrollRecurrent())).edits).toBe(1);
      await normalise(written, { runtime: await openRuntime() });
      const { after, edits, reasons } = await recognised(written);
      expect({ edits, reasons }).toEqual({ edits: d, reasons: [] });
      expect(operators(after).map((node) => node.op)).toEqual(Array(d).fill(op));
      expect([...after.graph.nodes].map((node) => node.op)).not.toContain("MatMul");
      await expectSameOutputs(written, after, near);
    },
  );
});

/** Steps 0 to `count` − 1 of an LSTM of Keras: one product for all gates, in the order i, f, c, o. */
function keras(count: number, x: (t: number) => string, layer = "", inputs = "x"): string {
  const step = (t: number) => `
    ${inputs === "x" ? x(t) : ""}
    a${layer}${t} = MatMul(${inputs}${t}, k${layer}) b${layer}${t} = MatMul(h${layer}${t}, u${layer})
    s${layer}${t} = Add(a${layer}${t}, b${layer}${t}) z${layer}${t} = Add(s${layer}${t}, bias${layer})
    i${layer}${t}, f${layer}${t}, g${layer}${t}, o${layer}${t} = Split <axis = 1, num_outputs = 4> (z${layer}${t})
    I${layer}${t} = Sigmoid(i${layer}${t}) F${layer}${t} = Sigmoid(f${layer}${t}) G${layer}${t} = Tanh(g${layer}${t})
    kept${layer}${t} = Mul(F${layer}${t}, c${layer}${t}) new${layer}${t} = Mul(I${layer}${t}, G${layer}${t})
    c${layer}${t + 1} = Add(kept${layer}${t}, new${layer}${t}) O${layer}${t} = Sigmoid(o${layer}${t})
    t${layer}${t} = Tanh(c${layer}${t + 1}) h${layer}${t + 1} = Mul(O${layer}${t}, t${layer}${t})`;
  return Array.from({ length: count }, (_, t) => step(t)).join("");
}

describe("spellings", () => {
  test("Keras: a sequence with samples first, all states stacked again", async () => {
    const after = await expectRecognised(
      `f (float[2,4,3] x, float[2,5] h0, float[2,5] c0) => (y, h4, c4) <float[3,20] k, float[5,20] u, float[20] bias, int64[1] one = {1}> {
         X0, X1, X2, X3 = Split <axis = 1, num_outputs = 4> (x)
         ${keras(4, (t) => `x${t} = Squeeze(X${t}, one)`)}
         ${[1, 2, 3, 4].map((t) => `r${t} = Unsqueeze(h${t}, one)`).join(" ")}
         y = Concat <axis = 1> (r1, r2, r3, r4) }`,
      "LSTM",
    );
    expect([...after.graph.nodes].map(({ op }) => op)).not.toContain("Split");
  });

  test("two layers, step by step, each with the state of the other as x", async () => {
    await expectRecognised(
      `f (float[3,2,5] x, float[2,5] h0, float[2,5] c0, float[2,5] hq0, float[2,5] cq0) => (hq3, cq3, h3)
         <float[5,20] k, float[5,20] u, float[20] bias, float[5,20] kq, float[5,20] uq, float[20] biasq, int64 n0 = {0}, int64 n1 = {1}, int64 n2 = {2}> {
         ${keras(3, (t) => `x${t} = Gather <axis = 0> (x, n${t})`)}
         ${keras(3, () => "", "q", "h").replace(/MatMul\(h(\d), kq\)/g, (_, t) => `MatMul(h${Number(t) + 1}, kq)`)} }`,
      "LSTM",
      2,
    );
  });

  test("PyTorch: Gemm with turned weights and two biases, gates i, f, g, o sliced", async () => {
    const gate = (name: string, t: number) => `${name} = Slice(z, s${t}, s${t + 1}, one)`;
    await expectRecognised(
      `f (float[N,3] x, float[N,4] h, float[N,4] c) => (hn, cn) <float[16,3] w, float[16,4] r, float[16] b, float[16] rb,
         int64[1] s0 = {0}, int64[1] s1 = {4}, int64[1] s2 = {8}, int64[1] s3 = {12}, int64[1] s4 = {16}, int64[1] one = {1}> {
         a = Gemm <transB = 1> (x, w, b) d = Gemm <transB = 1> (h, r, rb) z = Add(a, d)
         ${["i", "f", "g", "o"].map(gate).join(" ")}
         I = Sigmoid(i) F = Sigmoid(f) G = Tanh(g) O = Sigmoid(o)
         kept = Mul(F, c) new = Mul(I, G) cn = Add(kept, new) t = Tanh(cn) hn = Mul(O, t) }`,
      "LSTM",
    );
  });

  test("TensorFlow: input and state in one matrix, gates i, c, f, o, a bias of the forget gate, HardSigmoid", async () => {
    await expectRecognised(
      `f (float[2,3] x, float[2,4] h, float[2,4] c) => (hn, cn) <float[7,16] k, float[16] b, float one = {1}> {
         xh = Concat <axis = 1> (x, h) a = MatMul(xh, k) z = Add(a, b) i, g, f0, o = Split <axis = 1, num_outputs = 4> (z)
         f = Add(f0, one) I = HardSigmoid(i) F = HardSigmoid(f) G = Tanh(g) O = HardSigmoid(o)
         kept = Mul(c, F) new = Mul(G, I) cn = Add(new, kept) t = Tanh(cn) hn = Mul(t, O) }`,
      "LSTM",
    );
  });

  test("a matrix for each gate, and peepholes", async () => {
    const sum = (gate: string, cell: string) => `
      x${gate} = MatMul(x, w${gate}) r${gate} = MatMul(h, u${gate}) s${gate} = Add(x${gate}, r${gate}) z${gate} = Add(s${gate}, b${gate})
      ${cell ? `p${gate} = Mul(${cell}, peep${gate}) q${gate} = Add(z${gate}, p${gate}) ${gate} = Sigmoid(q${gate})` : `${gate} = Tanh(z${gate})`}`;
    const parameters = ["i", "o", "f", "g"].map(
      (g) => `float[3,4] w${g}, float[4,4] u${g}, float[4] b${g}, float[4] peep${g}`,
    );
    await expectRecognised(
      `f (float[2,3] x, float[2,4] h, float[2,4] c) => (hn, cn) <${parameters.join(", ")}> {
         ${sum("i", "c")} ${sum("f", "c")} ${sum("g", "")} kept = Mul(f, c) new = Mul(i, g) cn = Add(kept, new)
         ${sum("o", "cn")} t = Tanh(cn) hn = Mul(o, t) }`,
      "LSTM",
    );
  });

  const gru = (last: string, reset: string) => `f (float[2,3] x, float[2,4] h) => (hn)
     <float[3,4] wz, float[3,4] wr, float[3,4] wn, float[4,4] uz, float[4,4] ur, float[4,4] un, float[4] bz, float[4] br, float[4] bn, float[4] cn, float one = {1}> {
       ${["z", "r"].map((g) => `x${g} = MatMul(x, w${g}) h${g} = MatMul(h, u${g}) s${g} = Add(x${g}, h${g}) a${g} = Add(s${g}, b${g}) ${g} = Sigmoid(a${g})`).join(" ")}
       xn = MatMul(x, wn) an = Add(xn, bn) ${reset} sn = Add(an, hx) n = Tanh(sn) ${last} }`;
  const resets = {
    "in front of the state": "rh = Mul(r, h) hm = MatMul(rh, un) hx = Add(hm, cn)",
    "behind the product": "hm = MatMul(h, un) hb = Add(hm, cn) hx = Mul(r, hb)",
  };
  const lasts = {
    "(1 − z)·n + z·h": "y = Sub(one, z) a = Mul(y, n) b = Mul(z, h) hn = Add(a, b)",
    "n + z·(h − n)": "d = Sub(h, n) e = Mul(d, z) hn = Add(n, e)",
    "z·n + (1 − z)·h": "y = Sub(one, z) a = Mul(z, n) b = Mul(y, h) hn = Add(a, b)",
    "h + z·(n − h)": "d = Sub(n, h) e = Mul(z, d) hn = Add(e, h)",
  };
  for (const [where, reset] of Object.entries(resets))
    test.each(Object.entries(lasts))(`GRU with the reset gate ${where}, %s`, async (_, last) => {
      await expectRecognised(gru(last, reset), "GRU");
    });

  test("an RNN whose steps share their weights", async () => {
    const body = `p0 = MatMul(x, w) q0 = Add(p0, b) h1 = Tanh(q0) p1 = MatMul(v, w) r1 = MatMul(h1, u) s1 = Add(p1, r1) q1 = Add(s1, b) h2 = Tanh(q1)`;
    const text = `f (float[2,3] x, float[2,3] v) => (h2) <float[3,4] w, float[4,4] u, float[4] b> { ${body} }`;
    await expectRecognised(text, "RNN");
  });
});

describe("left alone, with the reason", () => {
  const cell = (more: string, results = "hn, cn") => `<ir_version: 10, opset_import: ["" : 21]>
    f (float[2,3] x, float[2,4] h, float[2,4] c) => (${results}) <float[3,16] k, float[4,16] u> {
      a = MatMul(x, k) d = MatMul(h, u) z = Add(a, d) i, f, g, o = Split <axis = 1, num_outputs = 4> (z)
      I = Sigmoid(i) F = Sigmoid(f) G = Tanh(g) O = Sigmoid(o) kept = Mul(F, c) new = Mul(I, G) cn = Add(kept, new) t = Tanh(cn) hn = Mul(O, t) ${more} }`;

  test("a gate that is read elsewhere", async () => {
    const { edits, reasons } = await recognised(parseModel(cell("", "hn, cn, F"), { seed: 1 }));
    expect({ edits, reasons }).toEqual({ edits: 0, reasons: ["F, which is inside, is read elsewhere"] });
  });

  test("weights that another layer reads", async () => {
    const { edits, reasons } = await recognised(parseModel(cell("w = MatMul(hn, u)", "hn, cn, w"), { seed: 1 }));
    expect({ edits, reasons }).toEqual({ edits: 0, reasons: ["u is read elsewhere, too"] });
  });

  test("samples of one length and a state for all of them", async () => {
    const { reasons } = await recognised(parseModel(cell("").replace("[2,4] h", "[1,4] h"), { seed: 1 }));
    expect(reasons).toEqual(["its batch is 2 and 1"]);
  });

  test("models of operator sets in which Unsqueeze has its axes as an attribute", async () => {
    const old = (opset: number) => cell("").replace('"" : 21', `"" : ${opset}`).replace(", num_outputs = 4", "");
    expect((await recognised(parseModel(old(12), { seed: 1 }))).edits).toBe(0);
    expect((await recognised(parseModel(old(13), { seed: 1 }))).edits).toBe(1);
  });

  test("a decoder that reads what it wrote", async () => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[2,4] x0, float[2,4] h0, float[2,4] c0) => (h2)
       <float[4,16] k, float[4,16] u, float[16] bias, float[4,4] out> {
       ${keras(2, () => "").replace("a1 =", "e = MatMul(h1, out) x1 = Sin(e) a1 =")} }`;
    const { edits, reasons } = await recognised(parseModel(text, { seed: 1 }));
    expect({ edits, reasons }).toEqual({ edits: 0, reasons: ["what it reads follows from its own states"] });
  });

  test("layers behind each other are no RNN, whatever their weights are", async () => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[2,4] x) => (c) <float[4,4] w, float[4,4] v, float[4] b> {
       a1 = Gemm(x, w, b) a = Tanh(a1) b1 = Gemm(a, w, b) b2 = MatMul(x, v) b3 = Add(b1, b2) c = Tanh(b3) }`;
    const { edits, reasons } = await recognised(parseModel(text, { seed: 1 }));
    expect({ edits, reasons }).toEqual({ edits: 0, reasons: [] });
  });
});

test("the second network of DTLN, whose two cells have one step each", async ({ skip }) => {
  const name = "dtln-speech-enhancement/model_2.onnx";
  const why = missing(name);
  if (why) skip(why);
  const before = readModelFile(fixture(name));
  await normalise(before, { runtime: await openRuntime() });
  const { after, edits } = await recognised(before);
  expect(edits).toBe(2);
  await expectSameOutputs(before, after, { atol: 1e-5, rtol: 1e-5 });
});
