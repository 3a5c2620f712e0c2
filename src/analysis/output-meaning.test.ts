/** What the last operators of a model say about its outputs. */
import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { outputMeanings } from "./inner.ts";

/** The meaning of y, made from features x [N, 4] by these lines. */
function meaningOf(constants: string, lines: string, more = "") {
  const text = `<ir_version: 8, opset_import: ["" : 13]> g (float[N,4] x${more}) => (float[N,3] y) ${constants} { ${lines} }`;
  return outputMeanings(parseModel(text, { seed: 1 })).get("y")!;
}

const weights = "<float[4,3] w, float[1,3] b>";

test.each([
  ["a product of matrices", weights, "y = MatMul(x, w)", ""],
  ["a product and its bias", weights, "p = MatMul(x, w) y = Add(p, b)", ""],
  ["a bias in front", weights, "p = MatMul(x, w) y = Add(b, p)", ""],
  // Files before IR version 4 list every constant among the inputs, as its default.
  [
    "a bias that is the default of an input",
    "<float[4,3] w>",
    "p = MatMul(x, w) y = Add(p, b)",
    ", float[1,3] b = {1,2,3}",
  ],
  ["such a bias in front", "<float[4,3] w>", "p = MatMul(x, w) y = Add(b, p)", ", float[1,3] b = {1,2,3}"],
])("%s may make scores", (_, constants, lines, more) => {
  expect(meaningOf(constants, lines, more)).toMatchObject({ kind: "scores", axis: -1, sure: false });
});

test.each([
  ["a sum of two activations", weights, "p = MatMul(x, w) y = Add(p, p)", /Add ends it/],
  ["a constant that something is taken from", weights, "p = MatMul(x, w) y = Sub(b, p)", /Sub ends it/],
  ["an activation", weights, "p = MatMul(x, w) y = Relu(p)", /Relu ends it/],
])("%s makes numbers", (_, constants, lines, why) => {
  expect(meaningOf(constants, lines)).toMatchObject({ kind: "numbers", why: expect.stringMatching(why) });
});
