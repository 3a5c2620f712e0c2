/** Recurrent layers written out compute what they computed. */
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { foldConstants } from "../fold/fold-constants.ts";
import { runPass } from "../pass.ts";
import { upgradeOpset } from "../upgrade-opset/upgrade.ts";
import { unrollRecurrent } from "./unroll.ts";

const layer = (op: string, gates: number, attributes: string, more = "", outputs = "y, h", directions = 1) =>
  `f (float[5,2,3] x) => (${outputs.match(/\w+/g)!.join(", ")}) <float[${directions},${gates * 4},3] w, float[${directions},${gates * 4},4] r, float[${directions},${gates * 8}] b,
     float[${directions},2,4] h0, float[${directions},2,4] c0, float[${directions},12] p> {
     ${outputs} = ${op} <hidden_size = 4${attributes}> (x, w, r${more})
   }`;

const cases: Record<string, string> = {
  RNN: layer("RNN", 1, ""),
  "RNN backwards with Relu, bias and initial state": layer(
    "RNN",
    1,
    `, direction = "reverse", activations = ["Relu"]`,
    `, b, "", h0`,
  ),
  GRU: layer("GRU", 3, "", ", b"),
  "GRU, linear before reset, both directions": layer(
    "GRU",
    3,
    `, linear_before_reset = 1, direction = "bidirectional"`,
    `, b, "", h0`,
    "y, h",
    2,
  ),
  "GRU without bias": layer("GRU", 3, ""),
  LSTM: layer("LSTM", 4, "", ", b", "y, h, c"),
  "LSTM with everything": layer(
    "LSTM",
    4,
    `, direction = "bidirectional", clip = 1.5, activations = ["HardSigmoid", "Tanh", "Softsign", "Sigmoid", "Tanh", "Relu"], activation_alpha = [0.3], activation_beta = [0.4]`,
    `, b, "", h0, c0, p`,
    "y, h, c",
    2,
  ),
  "LSTM whose forget gate follows its input gate": layer("LSTM", 4, ", input_forget = 1", ", b", "y, h, c"),
  // What the standard leaves open, ONNX Runtime decides: a ThresholdedRelu without alpha has 0 here, and 1 as an operator.
  ...Object.fromEntries(
    ["Elu", "HardSigmoid", "LeakyRelu", "Softplus", "ThresholdedRelu"].map((name) => [
      `RNN with the usual ${name}`,
      layer("RNN", 1, `, activations = ["${name}"]`, ", b"),
    ]),
  ),
  "RNN with Affine without beta": layer("RNN", 1, `, activations = ["Affine"], activation_alpha = [0.3]`, ", b"),
  "RNN with ScaledTanh": layer(
    "RNN",
    1,
    `, activations = ["ScaledTanh"], activation_alpha = [1.3], activation_beta = [0.7]`,
    ", b",
  ),
  "only the last state": layer("LSTM", 4, "", ", b", `"", h`),
};

describe("same outputs", () => {
  test.each(Object.entries(cases))("%s", async (_name, text) => {
    const before = parseModel(text, { seed: 4 });
    const after = cloneModel(before);
    const { edits } = await runPass(after, unrollRecurrent());
    expect(edits).toBe(1);
    await runPass(after, foldConstants(await openRuntime()));
    const operators = new Set([...after.graph.nodes].map((node) => node.op));
    expect(operators).not.toContain("LSTM");
    expect(operators).toContain("MatMul");
    // The same sums in another order, five steps deep, of values below ten.
    await expectSameOutputs(before, after, { atol: 1e-5, rtol: 1e-5 });
  });
});

describe("real recurrent layers", () => {
  // Speech enhancement with two LSTM layers of one step each, states in and out.
  test.for(["dtln-speech-enhancement/model_1.onnx"])("%s", async (name, { skip }) => {
    const why = missing(name);
    if (why) skip(why);
    const before = readModelFile(fixture(name));
    upgradeOpset(before, 21);
    const after = cloneModel(before);
    expect((await runPass(after, unrollRecurrent())).edits).toBe(2);
    expect([...after.graph.nodes].filter((node) => node.op === "LSTM")).toEqual([]);
    // Sums of 256 products in another order.
    await expectSameOutputs(before, after, { atol: 1e-5, rtol: 1e-5 });
  });
});

test("samples with lengths of their own, and activations without their numbers, stay with a reason", async () => {
  const lengths = parseModel(layer("LSTM", 4, "", `, "", n`).replace("float[5,2,3] x", "float[5,2,3] x, int32[2] n"), {
    seed: 4,
  });
  expect((await runPass(lengths, unrollRecurrent())).refusals[0]?.reason).toMatch(/sequence_lens/);
  const open = parseModel(layer("RNN", 1, `, activations = ["ScaledTanh"]`), { seed: 4 });
  expect((await runPass(open, unrollRecurrent())).refusals[0]?.reason).toMatch(/ScaledTanh has no alpha or beta/);
});

test("batch first is the same layer with its axes moved", async () => {
  // ONNX Runtime has no kernel for layout 1, so the reference is the layout that it has, between transposes.
  const state = "float[2,1,4] s, float[2,1,4] t";
  const batchFirst = parseModel(
    `f (float[2,5,3] x, ${state}) => (y, h, c) <float[1,16,3] w, float[1,16,4] r> { y, h, c = LSTM <hidden_size = 4, layout = 1> (x, w, r, "", "", s, t) }`,
    { seed: 4 },
  );
  const moved = parseModel(
    `f (float[2,5,3] x, ${state}) => (y, h, c) <float[1,16,3] w, float[1,16,4] r> {
      u = Transpose <perm = [1,0,2]> (x) s1 = Transpose <perm = [1,0,2]> (s) t1 = Transpose <perm = [1,0,2]> (t)
      a, b, d = LSTM <hidden_size = 4> (u, w, r, "", "", s1, t1)
      y = Transpose <perm = [2,0,1,3]> (a) h = Transpose <perm = [1,0,2]> (b) c = Transpose <perm = [1,0,2]> (d) }`,
    { seed: 4 },
  );
  expect((await runPass(batchFirst, unrollRecurrent())).edits).toBe(1);
  await expectSameOutputs(moved, batchFirst, { atol: 1e-5, rtol: 1e-5 });
});

test("long and open sequences stay", async () => {
  const open = parseModel(layer("LSTM", 4, "").replace("float[5,2,3] x", "float[T,2,3] x"), { seed: 4 });
  expect((await runPass(open, unrollRecurrent())).refusals[0]?.reason).toMatch(/only when it runs/);
  const long = parseModel(layer("LSTM", 4, ""), { seed: 4 });
  expect((await runPass(long, unrollRecurrent({ steps: 4 }))).refusals[0]?.reason).toMatch(/5 steps/);
});
