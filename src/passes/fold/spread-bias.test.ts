/** Gemm's bias in every form that is broadcast: the function stays, one row becomes a vector, rows that differ stay as they are. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { runPass } from "../pass.ts";
import { spreadBiases } from "./spread-bias.ts";

const gemm = (bias: string, attributes = "") =>
  parseModel(
    `<ir_version: 8, opset_import: ["": 21]> g (float[3,4] x) => (float[3,5] y)
     <float[4,5] w, float[5,4] v, float${bias} b> { y = Gemm <alpha = 0.5, beta = 3.0 ${attributes}> (x, w, b) }`.replace(
      "(x, w, b)",
      attributes ? "(x, v, b)" : "(x, w, b)",
    ),
    { seed: 1 },
  );

test.each([
  ["[1]", [5]],
  ["", [5]],
  ["[1,1]", [5]],
  ["[1,5]", [5]],
  ["[5]", [5]],
  ["[3,5]", [3, 5]],
  ["[3,1]", [3, 1]],
])("float%s", async (form, shape) => {
  for (const attributes of ["", ", transB = 1"]) {
    const model = gemm(form, attributes);
    const spread = cloneModel(model);
    const { refusals } = await runPass(spread, spreadBiases);
    const bias = spread.graph.valuesByName().get("b")!;
    expect(bias.initializer!.shape).toEqual(shape);
    expect(bias.type).toMatchObject({ shape });
    expect(refusals.length).toBe(form.startsWith("[3") ? 1 : 0);
    await expectSameOutputs(model, spread);
  }
});
