/** Which form a gradient of a layer takes: the one that was measured to be the fastest (conv-weight.ts, conv-input.ts). */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

const conv = (x: string, w: string, attributes: string, op = "Conv") =>
  `f (float[${x}] x, float[${w}] w) => (float y) { y = ${op} <${attributes}> (x, w) }`;
const same = "pads = [1,1,1,1]";
/** A line for each case. */
const formsOf = (wrt: string, cases: Readonly<Record<string, string>>) =>
  Object.entries(cases).map(([name, text]) => `${name}: ${backwardOperators(text, wrt)}`);

test("of a kernel: columns of a Conv with ones, shifts of both sides where there is much to add, slices for what the others lack", () => {
  expect(
    formsOf("w", {
      "3 channels": conv("2,3,12,12", "16,3,3,3", same),
      "7 channels": conv("2,7,8,9", "16,7,3,3", same),
      "8 channels, 64 places": conv("2,8,8,8", "16,8,3,3", same),
      "8 channels, 72 places": conv("2,8,8,9", "16,8,3,3", same),
      "one channel": conv("2,1,12,12", "8,1,3,3", same),
      "strides along both axes": conv("2,8,24,24", "16,8,3,3", `${same}, strides = [2,2]`),
      "along one": conv("2,8,18,18", "16,8,3,3", `${same}, strides = [1,2]`),
      "1 × 1": conv("2,8,12,12", "16,8,1,1", "group = 1"),
      "1 × 1, padded": conv("2,8,12,12", "16,8,1,1", same),
      "1 × 1, strides along one axis": conv("2,8,12,12", "16,8,1,1", "strides = [1,2]"),
      depthwise: conv("2,8,12,12", "8,1,3,3", `${same}, group = 8`),
      "depthwise with strides": conv("2,8,12,12", "8,1,3,3", `${same}, group = 8, strides = [2,2]`),
      "in groups": conv("2,8,12,12", "8,4,3,3", "group = 2"),
      "in groups, with strides": conv("2,8,12,12", "8,4,3,3", `${same}, group = 2, strides = [2,2]`),
      sequences: conv("2,8,100", "8,8,3", "pads = [1,1]"),
      volumes: conv("1,2,4,4,4", "2,2,2,2,2", "group = 1"),
      "a stride that leaves elements unseen": conv("1,2,11,8", "2,2,3,2", "strides = [3,3]"),
      "more unseen than a stride": conv(
        "1,2,5,5",
        "2,2,3,3",
        "dilations = [3,3], output_padding = [2,2]",
        "ConvTranspose",
      ),
    }),
  ).toMatchInlineSnapshot(`
    [
      "3 channels: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "7 channels: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "8 channels, 64 places: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "8 channels, 72 places: Conv ×2, Gather, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "one channel: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "strides along both axes: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "along one: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "1 × 1: Identity, MatMul, ReduceSum, Reshape ×4, Transpose ×2",
      "1 × 1, padded: Identity, MatMul, Pad, ReduceSum, Reshape ×4, Slice, Transpose ×2",
      "1 × 1, strides along one axis: Identity, MatMul, ReduceSum, Reshape ×4, Slice, Transpose ×2",
      "depthwise: Concat, Identity, Mul ×9, Pad, ReduceSum ×9, Reshape ×20, Slice ×9",
      "depthwise with strides: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "in groups: Concat, Identity, MatMul, ReduceSum, Reshape ×12, Slice ×9, Transpose ×2",
      "in groups, with strides: Concat, Identity, MatMul, Pad, ReduceSum, Reshape ×12, Slice ×9, Transpose ×2",
      "sequences: Concat, Identity, MatMul, Pad, ReduceSum, Reshape ×6, Slice ×3, Transpose ×2",
      "volumes: Concat, Identity, MatMul, ReduceSum, Reshape ×11, Slice ×8, Transpose ×2",
      "a stride that leaves elements unseen: Conv, Identity, MatMul, ReduceSum, Reshape ×3, Transpose ×2",
      "more unseen than a stride: Concat, Identity, MatMul, ReduceSum, Reshape ×12, Slice ×9, Transpose ×2",
    ]
  `);
});

test("of the input: a plain Conv with the kernel turned around where the stride is one, and nothing is turned that need not be", () => {
  expect(
    formsOf("x", {
      "stride 1": conv("2,3,12,12", "16,3,3,3", same),
      "as much padding as the kernel reaches": conv("2,3,12,12", "16,3,3,3", "pads = [2,2,2,2]"),
      "more padding on one side": conv("2,3,12,12", "16,3,3,3", "pads = [3,0,0,0]"),
      "more padding behind": conv("2,3,12,12", "16,3,3,3", "pads = [0,0,0,3]"),
      "stride 2": conv("2,3,12,12", "16,3,3,3", "strides = [2,2]"),
      "along one axis": conv("2,3,12,12", "16,3,3,3", "strides = [1,2]"),
      "1 × 1": conv("2,3,12,12", "16,3,1,1", "group = 1"),
      "one channel to one": conv("2,1,12,12", "1,1,1,1", "group = 1"),
      depthwise: conv("2,8,12,12", "8,1,3,3", "group = 8"),
      "depthwise, two filters each": conv("2,8,12,12", "16,1,3,3", "group = 8"),
      "two channels to one in each group": conv("2,8,12,12", "4,2,3,3", "group = 4"),
    }),
  ).toMatchInlineSnapshot(`
    [
      "stride 1: Conv, Gather, Identity, Reshape ×2, Transpose",
      "as much padding as the kernel reaches: Conv, Gather, Identity, Reshape ×2, Transpose",
      "more padding on one side: ConvTranspose, Identity",
      "more padding behind: ConvTranspose, Identity",
      "stride 2: ConvTranspose, Identity",
      "along one axis: ConvTranspose, Identity",
      "1 × 1: Conv, Identity, Reshape ×2, Transpose",
      "one channel to one: Conv, Identity, Reshape ×2",
      "depthwise: Conv, Gather, Identity, Reshape ×2",
      "depthwise, two filters each: Conv, Gather, Identity, Reshape ×2, Transpose",
      "two channels to one in each group: Conv, Gather, Identity, Reshape ×2, Transpose",
    ]
  `);
});

test("of products: one product for all samples where the matrix is one, and no factor of one", () => {
  const gemm = (attributes: string) =>
    `f (float[3,4] x, float[4,5] w, float[3,5] c) => (float y) { y = Gemm <${attributes}> (x, w, c) }`;
  const matMul = (x: string, w: string) => `f (float[${x}] x, float[${w}] w) => (float y) { y = MatMul(x, w) }`;
  expect([
    ...formsOf("c", { "a summand": gemm("alpha = 2.0"), "a scaled one": gemm("beta = 2.0") }),
    ...formsOf("w", {
      matrices: matMul("3,4", "4,5"),
      "samples by one matrix": matMul("2,3,4", "4,5"),
      "samples by matrices": matMul("2,3,4", "2,4,5"),
    }),
    ...formsOf("x", { "to the samples": matMul("2,3,4", "2,4,5"), "to one matrix": matMul("3,4", "2,4,5") }),
  ]).toMatchInlineSnapshot(`
    [
      "a summand: Identity",
      "a scaled one: Identity, Mul",
      "matrices: Gemm, Identity, Reshape ×2",
      "samples by one matrix: Gemm, Identity, Reshape ×2",
      "samples by matrices: Identity, MatMul, Transpose",
      "to the samples: Identity, MatMul, Transpose",
      "to one matrix: Identity, MatMul, ReduceSum, Reshape, Transpose",
    ]
  `);
});
