/** Which form a gradient over windows takes: repeats where windows lie side by side, sums where they share elements. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

const image = (body: string, shape = "1,2,8,8") => `f (float[${shape}] x) => (float y) { y = ${body} }`;
const formsOf = (cases: Readonly<Record<string, string>>) =>
  Object.entries(cases).map(([name, text]) => `${name}: ${backwardOperators(text, "x")}`);
const pool = (op: string, kernel: string, more = "", shape?: string) =>
  image(`${op} <kernel_shape = [${kernel}]${more}> (x)`, shape);
const two = ", strides = [2,2]";

test("of the largest in a window", () => {
  expect(
    formsOf({
      "side by side": pool("MaxPool", "2,2", two),
      "with room between": pool("MaxPool", "2,2", ", strides = [3,3]"),
      overlapping: pool("MaxPool", "3,3", two),
      "overlapping along one axis": pool("MaxPool", "2,3", two),
      "one window along an axis": pool("MaxPool", "3,8", ", strides = [3,1]"),
      "dilated over the next one": pool("MaxPool", "2,2", ", strides = [2,2], dilations = [2,2]"),
      "with places told": image("MaxPool <kernel_shape = [2,2], strides = [2,2]> (x)").replace("{ y", "{ y, i"),
    }),
  ).toMatchInlineSnapshot(`
    [
      "side by side: Identity, MaxPool, MaxUnpool, Reshape ×3",
      "with room between: Identity, MaxPool, MaxUnpool, Reshape ×3",
      "overlapping: Expand, Identity, MaxPool, Reshape ×3, ScatterElements",
      "overlapping along one axis: Expand, Identity, MaxPool, Reshape ×3, ScatterElements",
      "one window along an axis: Identity, MaxPool, MaxUnpool, Reshape ×3",
      "dilated over the next one: Expand, Identity, MaxPool, Reshape ×3, ScatterElements",
      "with places told: Identity, MaxUnpool, Reshape ×3",
    ]
  `);
});

test("of the mean of a window", () => {
  expect(
    formsOf({
      "that tile the image": pool("AveragePool", "2,2", two),
      "that leave a rest": pool("AveragePool", "2,2", two, "1,2,9,9"),
      "that leave a rest along one axis": pool("AveragePool", "2,2", two, "1,2,8,9"),
      overlapping: pool("AveragePool", "3,3", two, "1,2,9,9"),
      "one window": pool("AveragePool", "8,8"),
      "one along an axis": pool("AveragePool", "8,2", ", strides = [1,2]"),
      padded: pool("AveragePool", "2,2", ", strides = [2,2], pads = [1,1,1,1]"),
      "padded, which counts": pool("AveragePool", "2,2", ", strides = [2,2], pads = [1,1,1,1], count_include_pad = 1"),
      "padded by a whole stride": pool("AveragePool", "2,2", ", strides = [2,2], pads = [0,1,0,1]"),
      dilated: pool("AveragePool", "2,2", ", strides = [2,2], dilations = [2,2]", "1,2,9,9"),
      "dilated in one window": pool("AveragePool", "2,2", ", dilations = [2,2]", "1,2,3,3"),
    }),
  ).toMatchInlineSnapshot(`
    [
      "that tile the image: Expand, Identity, Mul, Reshape ×2",
      "that leave a rest: ConvTranspose, Identity, Mul, Reshape ×2",
      "that leave a rest along one axis: ConvTranspose, Identity, Mul, Reshape ×2",
      "overlapping: ConvTranspose, Identity, Mul, Reshape ×2",
      "one window: Expand, Identity, Mul, Reshape ×2",
      "one along an axis: Expand, Identity, Mul, Reshape ×2",
      "padded: ConvTranspose, Identity, Mul, Reshape ×2",
      "padded, which counts: AveragePool, ConvTranspose, Expand, Identity, Mul ×2, Reshape ×2",
      "padded by a whole stride: ConvTranspose, Identity, Mul, Reshape ×2",
      "dilated: ConvTranspose, Identity, Mul, Reshape ×2",
      "dilated in one window: ConvTranspose, Identity, Mul, Reshape ×2",
    ]
  `);
});

test("of powers in a window", () => {
  const powers = (p: number) => pool("LpPool", "2,2", `, strides = [2,2], p = ${p}`);
  expect(formsOf({ sums: powers(1), squares: powers(2), cubes: powers(3) })).toMatchInlineSnapshot(`
    [
      "sums: Expand, Identity, Mul, Reshape ×2, Sign",
      "squares: Expand, Identity, Max, Mul ×2, Pow, Reshape ×2",
      "cubes: Abs, Expand, Identity, Max, Mul ×3, Pow ×2, Reshape ×2, Sign",
    ]
  `);
});

test("of a Resize: sums of blocks where each pixel is repeated, products with weights elsewhere", () => {
  const resized = (scales: string, attributes: string) =>
    `f (float[1,2,4,6] x) => (float[${scales.split(",").map((scale, i) => Number(scale) * [1, 2, 4, 6][i]!)}] y) <float[4] s = {${scales}}> { y = Resize <${attributes}> (x, "", s) }`;
  const asymmetric = `coordinate_transformation_mode = "asymmetric"`;
  expect(
    formsOf({
      "twice as large": resized("1,1,2,2", `mode = "nearest"`),
      "twice as large from the corner": resized("1,1,2,2", `${asymmetric}, nearest_mode = "floor"`),
      "rounded down from the middle": resized("1,1,2,2", `nearest_mode = "floor"`),
      "rounded from the corner": resized("1,1,2,2", asymmetric),
      "along one axis": resized("1,1,1,3", `mode = "nearest"`),
      "half as large again": resized("1,1,1.5,1.5", `mode = "nearest"`),
      "one whole, one not": resized("1,1,2,1.5", `mode = "nearest"`),
      "half as large": resized("1,1,0.5,0.5", `mode = "nearest"`),
      "by lines": resized("1,1,2,2", `mode = "linear"`),
      "as large": resized("1,1,1,1", `mode = "linear"`),
    }),
  ).toMatchInlineSnapshot(`
    [
      "twice as large: Identity, ReduceSum, Reshape ×2",
      "twice as large from the corner: Identity, ReduceSum, Reshape ×2",
      "rounded down from the middle: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "rounded from the corner: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "along one axis: Identity, ReduceSum, Reshape ×2",
      "half as large again: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "one whole, one not: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "half as large: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "by lines: Identity, MatMul ×2, Reshape ×5, Resize ×2, Transpose",
      "as large: Identity, Reshape",
    ]
  `);
});
