/** Which form the gradient of a recurrent net takes: steps written out up to 64 of them, a Scan beyond. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";
import { invariant } from "../../../base/inner.ts";
import { inferTypes } from "../../../facts/inner.ts";
import { parseModel, tensorType } from "../../../ir/inner.ts";
import { gradientModel } from "../../differentiate.ts";

const net = (steps: number) =>
  backwardOperators(
    `f (float[${steps},1,2] x) => (float[${steps},1,1,2] y) <float[1,2,2] w, float[1,2,2] r> { y = RNN <hidden_size = 2> (x, w, r) }`,
    "x",
  );

test("the body of a Scan tells the shapes of what it gives out", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[70,2,3] x) => (float[70,1,2,4] y) <float[1,4,3] w, float[1,4,4] r> { y = RNN <hidden_size = 4> (x, w, r) }`,
    { seed: 1 },
  );
  const built = gradientModel(model, ["x", "w"], { types: inferTypes(model), outputs: ["y"] });
  const body = [...built.graph.nodes].find(({ op }) => op === "Scan")!.attributes.get("body")!;
  invariant(body.type === "graph", "a body");
  // The state's gradient, and what reaches the gate: two samples of four.
  expect(body.value.outputs.map(({ type }) => type)).toEqual(Array(2).fill(tensorType("float32", [2, 4])));
});

test.each([
  [`["ScaledTanh"]`, /its ScaledTanh has no alpha or beta/],
  [`["Affine"]`, /its Affine has no alpha or beta/],
  [`["Swish"]`, /"Swish" is no activation of the standard/],
  [`["Tanh", "Tanh"]`, /names 2 activations where it has 1/],
])("activations %s have no gradient", (activations, reason) => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[2,1,2] x) => (float[2,1,1,2] y) <float[1,2,2] w, float[1,2,2] r> { y = RNN <hidden_size = 2, activations = ${activations}> (x, w, r) }`,
    { seed: 1 },
  );
  expect(() => gradientModel(model, ["x"], { types: inferTypes(model), outputs: ["y"] })).toThrow(reason);
});

test("few steps are written out, many are a Scan, a single one is not even split", () => {
  expect([1, 2, 64, 65, 100].map((steps) => net(steps).includes("Scan"))).toEqual([false, false, false, true, true]);
  expect([1, 2].map((steps) => net(steps).includes("Split"))).toEqual([false, true]);
});
