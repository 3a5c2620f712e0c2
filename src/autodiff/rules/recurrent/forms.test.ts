/** Which form the gradient of a recurrent net takes: steps written out up to 64 of them, a Scan beyond. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

const net = (steps: number) =>
  backwardOperators(
    `f (float[${steps},1,2] x) => (float[${steps},1,1,2] y) <float[1,2,2] w, float[1,2,2] r> { y = RNN <hidden_size = 2> (x, w, r) }`,
    "x",
  );

test("few steps are written out, many are a Scan, a single one is not even split", () => {
  expect([1, 2, 64, 65, 100].map((steps) => net(steps).includes("Scan"))).toEqual([false, false, false, true, true]);
  expect([1, 2].map((steps) => net(steps).includes("Split"))).toEqual([false, true]);
});
