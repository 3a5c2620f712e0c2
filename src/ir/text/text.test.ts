/** ONNX text both ways: what is read, what is written, and what is refused. */
import { expect, test } from "vitest";
import { parseModel, printModel } from "../index.ts";

const small = `<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
small (float[N,3] x) => (float[N,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6.5}, float[2] b = {0.1, -1e-7}> {
  [first] h = MatMul(x, w)
  s = Add(h, b)
  y = LeakyRelu(s) <alpha = 0.5>
}`;

test("a small model is printed as it was written", () => {
  expect(printModel(parseModel(small), { tensors: "full" })).toMatchInlineSnapshot(`
    "<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
    small (float[N,3] x) => (float[N,2] y)
    <float[3,2] w = {1, 2, 3, 4, 5, 6.5}, float[2] b = {0.1, -1e-7}>
    {
      [first] h = MatMul(x, w)
      s = Add(h, b)
      y = LeakyRelu(s) <alpha = 0.5>
    }"
  `);
});
