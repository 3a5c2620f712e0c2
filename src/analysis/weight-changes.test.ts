/** What is the same and what is not, which channels are paired, and figures by hand. */
import { expect, test } from "vitest";
import { cloneModel, parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { comparedChannels, weightChanges } from "./weight-changes.ts";

const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]> f (float[N,3] x) => (y)
  <float[3,4] a = {0, 0, 0, 0, 1, 2, 4, 8, 1, 2, 4, 9}, float[4,2] b> { [one] h = MatMul(x, a) [two] y = MatMul(h, b) }`,
  { seed: 2 },
);

function withWeight(name: string, shape: readonly number[], numbers: readonly number[]) {
  const copy = cloneModel(model);
  copy.graph.valuesByName().get(name)!.initializer = Tensor.float32(shape, Float32Array.from(numbers));
  return copy;
}

test("layers whose weights did not change are left out, rounding to float32 included", () => {
  expect(weightChanges(model, cloneModel(model))).toEqual([]);
  const nearly = [0, 0, 0, 0, 1, 2, 4, 8, 1, 2, 4, 9 + 5e-6];
  expect(weightChanges(model, withWeight("a", [3, 4], nearly))).toEqual([]);
});

test("the same channels stand on both sides, the widest before first", () => {
  // Channels divided by what makes them equal, but for the last, which is not touched.
  const equal = [0, 0, 0, 0, 1, 1, 1, 8, 1, 1, 1, 9];
  const [change, ...others] = weightChanges(model, withWeight("a", [3, 4], equal));
  expect(others).toEqual([]);
  expect(change).toMatchObject({ layer: "one", op: "MatMul", count: [4, 4] });
  expect(change!.before).toMatchObject({ shape: [3, 4], min: 0, max: 9, spread: 9, outliers: [] });
  // Ranges 1, 1, 1, 9: quarters of the relative ones are 1 and 3, so that 9 is beyond 3 + 1.5 · 2.
  expect(change!.after).toMatchObject({ min: 0, max: 9, spread: 9, outliers: [3] });
  expect(change!.before.channels.map(({ channel, max }) => [channel, max])).toEqual([
    [3, 9],
    [2, 4],
    [1, 2],
    [0, 1],
  ]);
  expect(change!.after.channels.map(({ channel, max }) => [channel, max])).toEqual([
    [3, 9],
    [2, 1],
    [1, 1],
    [0, 1],
  ]);
});

test("where channels went, each side has its own widest, and layers that one model alone has do not count", () => {
  const pruned = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,3] x) => (y)
    <float[3,2] a = {0, 0, 2, 8, 2, 9}, float[2,2] b> { [one] h = MatMul(x, a) [new] y = MatMul(h, b) }`,
    { seed: 2 },
  );
  const [change, ...others] = weightChanges(model, pruned);
  expect(others).toEqual([]);
  expect(change!.count).toEqual([4, 2]);
  expect(change!.after.channels.map(({ channel, max }) => [channel, max])).toEqual([
    [1, 9],
    [0, 2],
  ]);
});

test("the largest change of spread comes first, and so many channels are kept", () => {
  const wide = (factor: number) =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (float[N,1] x) => (y)
      <float[1,60] a = {${Array.from({ length: 60 }, (_, i) => i + 1).join(",")}}, float[60,2] b = {${Array.from({ length: 120 }, (_, i) => (i % 2 ? factor * i : i)).join(",")}}> {
        [one] h = Gemm(x, a) [two] y = MatMul(h, b) }`,
    );
  const other = wide(5);
  other.graph.valuesByName().get("a")!.initializer = Tensor.float32([1, 60], new Float32Array(60).fill(2));
  const changes = weightChanges(wide(1), other);
  expect(changes.map(({ layer }) => layer)).toEqual(["two", "one"]);
  expect(changes[1]!.before.channels).toHaveLength(comparedChannels);
});
