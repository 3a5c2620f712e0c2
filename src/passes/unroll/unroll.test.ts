/** Recurrent layers written out compute what they computed. */
import { describe, expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/index.ts";
import { openRuntime } from "../../runtime/index.ts";
import { foldConstants } from "../fold-constants.ts";
import { runPass } from "../pass.ts";
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

test("long and open sequences stay", async () => {
  const open = parseModel(layer("LSTM", 4, "").replace("float[5,2,3] x", "float[T,2,3] x"), { seed: 4 });
  expect((await runPass(open, unrollRecurrent())).refusals[0]?.reason).toMatch(/only when it runs/);
  const long = parseModel(layer("LSTM", 4, ""), { seed: 4 });
  expect((await runPass(long, unrollRecurrent({ steps: 4 }))).refusals[0]?.reason).toMatch(/5 steps/);
});
