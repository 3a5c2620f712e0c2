/** Weights find their places by name, whatever wrapper the names come from; shapes are checked before anything is changed. */
import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { placeWeights } from "./place-weights.ts";

const make = () =>
  parseModel(
    `f (float[n,2] x) => (float[n,2] y) <float[2,2] "a.weight" = {1, 2, 3, 4}, float[2] "a.bias" = {0, 0}, float[2,2] other = {1, 0, 0, 1}> {
       h = MatMul(x, "a.weight")
       i = Add(h, "a.bias")
       y = MatMul(i, other)
     }`,
  );
const numbersOf = (model: ReturnType<typeof make>, name: string) =>
  [...model.graph.initializers].find((value) => value.name === name)!.initializer!.numbers();
const weights = (prefix: string) =>
  new Map([
    [`${prefix}a.weight`, Tensor.float32([2, 2], [5, 6, 7, 8])],
    [`${prefix}a.bias`, Tensor.of("float64", [2], new Float64Array([0.5, 0.25]))],
    [`${prefix}b.weight`, Tensor.float32([1], [1])],
  ]);

test.each(["", "module.", "model.net."])("names behind %o", (removed) => {
  const model = make();
  const { prefix, placed, unused, missing } = placeWeights(model, weights(removed), "w.pth");
  expect(prefix).toEqual({ removed, added: "" });
  expect(placed).toEqual(["a.weight", "a.bias"]);
  expect(unused).toEqual([`${removed}b.weight`]);
  expect(missing).toEqual(["other"]);
  expect(numbersOf(model, "a.weight")).toEqual([5, 6, 7, 8]);
  expect(numbersOf(model, "a.bias")).toEqual([0.5, 0.25]);
});

test("another shape, and another kind of numbers, is refused before anything is changed", () => {
  const model = make();
  const given = weights("")
    .set("a.bias", Tensor.float32([3], [1, 2, 3]))
    .set("other", Tensor.int64([2, 2], [1, 2, 3, 4]));
  expect(() => placeWeights(model, given, "w.pth")).toThrow(
    /a\.bias: float32\[2\] .*\[3\]\n {2}other: float32.*int64/s,
  );
  expect(numbersOf(model, "a.weight")).toEqual([1, 2, 3, 4]);
});

test("a file without any name of the model", () => {
  const given = new Map([["c", Tensor.float32([1], [1])]]);
  expect(() => placeWeights(make(), given, "w.pth")).toThrow(expect.objectContaining({ code: "usage/bad-value" }));
});
