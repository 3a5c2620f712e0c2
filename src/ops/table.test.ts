/** The table against ONNX's schemas, against itself, and its costs against hand-counted ones. */
import { expect, test } from "vitest";
import { type AttributeLike, addNode, Graph, type Node } from "../ir/inner.ts";
import { attributesAt, families, isOpType, type OpType, ops, rowOf, versionAt } from "./inner.ts";
import type { OpRow } from "./row.ts";
import { contribSchemas, standardSchemas } from "./schema.generated.ts";

const entries = Object.entries(ops) as [OpType, OpRow][];

function node(op: string, inputs: number, attributes: Record<string, AttributeLike> = {}, domain = ""): Node {
  const graph = new Graph("g");
  const values = Array.from({ length: inputs }, (_, i) => graph.addInput(`x${i}`, undefined));
  return addNode(graph, op, values, attributes, { domain });
}

function macs(n: Node, inputs: (number[] | null)[], outputs: (number[] | null)[]): number | undefined {
  return rowOf(n)!.macs!(n, { inputs, outputs });
}

test("every operator stands in exactly one family", () => {
  const names = Object.values(families).flatMap((family) => Object.keys(family));
  expect(names.toSorted()).toEqual(Object.keys(standardSchemas).toSorted());
  expect(entries).toHaveLength(names.length + Object.keys(contribSchemas).length);
});

test("the schemas cover opset 26", () => {
  expect(Math.max(...entries.flatMap(([, row]) => row.versions))).toBe(26);
  for (const [name, row] of entries) expect(row.versions, name).toEqual(row.versions.toSorted((a, b) => a - b));
});

test("roles point at the inputs that ONNX names so", () => {
  const bare = (row: OpRow, index: number) => row.inputs[index]?.replace(/[?*]$/, "");
  for (const [name, row] of entries) {
    if (row.linear) expect(["W", "B", "filter"], name).toContain(bare(row, row.linear.weight));
    if (row.linear?.bias != null) expect(["B", "C", "bias"], name).toContain(bare(row, row.linear.bias));
    for (const index of row.normalization ?? []) {
      expect(bare(row, index)?.toLowerCase(), name).toMatch(
        /^(scale|b|bias|input_mean|input_var|gamma|beta|gamma_quant|beta_quant)$/,
      );
    }
    if (row.movesData) expect(row.inputs.length, name).toBeGreaterThan(0);
  }
});

test("attributes follow the opset", () => {
  expect(attributesAt(ops.Softmax, 11).axis).toEqual({ type: "int", default: 1 });
  expect(attributesAt(ops.Softmax, 13).axis).toEqual({ type: "int", default: -1 });
  expect(attributesAt(ops.Clip, 10)).toHaveProperty("max");
  expect(attributesAt(ops.Clip, 11)).toEqual({});
  expect(attributesAt(ops.Dropout, 11)).not.toHaveProperty("seed");
  expect(attributesAt(ops.Conv, 21).group).toEqual({ type: "int", default: 1 });
});

test("versions in force", () => {
  expect(versionAt(ops.Conv, 21)).toBe(11);
  expect(versionAt(ops.Upsample, 9)).toBe(9);
  expect(versionAt(ops.Upsample, 10)).toBeUndefined();
  expect(versionAt(ops.LayerNormalization, 16)).toBeUndefined();
});

test("opaque nodes have no row", () => {
  expect(rowOf(node("Conv", 2, {}, "my.domain"))).toBeUndefined();
  expect(isOpType("toString")).toBe(false);
  expect(rowOf(node("FusedConv", 2, {}, "com.microsoft"))).toBe(ops["com.microsoft.FusedConv"]);
});

test("axes of weights", () => {
  const axes = (n: Node) => [rowOf(n)!.linear!.channelAxis(n), rowOf(n)!.linear!.inputAxis(n)];
  expect(axes(node("Conv", 2))).toEqual([0, 1]);
  expect(axes(node("ConvTranspose", 2))).toEqual([1, 0]);
  expect(axes(node("Gemm", 2))).toEqual([1, 0]);
  expect(axes(node("Gemm", 2, { transB: 1 }))).toEqual([0, 1]);
  expect(axes(node("MatMul", 2))).toEqual([-1, -2]);
});

test("multiply-accumulates, counted by hand", () => {
  // 8 filters over 3 channels of 3×3, on 4×4 positions.
  expect(
    macs(
      node("Conv", 2),
      [
        [1, 3, 6, 6],
        [8, 3, 3, 3],
      ],
      [[1, 8, 4, 4]],
    ),
  ).toBe(8 * 27 * 16);
  // Depthwise: each of 8 channels has one 3×3 filter.
  expect(
    macs(
      node("Conv", 2, { group: 8 }),
      [
        [2, 8, 6, 6],
        [8, 1, 3, 3],
      ],
      [[2, 8, 4, 4]],
    ),
  ).toBe(2 * 8 * 9 * 16);
  expect(
    macs(
      node("ConvTranspose", 2),
      [
        [1, 3, 4, 4],
        [3, 5, 2, 2],
      ],
      [[1, 5, 8, 8]],
    ),
  ).toBe(48 * 20);
  expect(
    macs(
      node("Gemm", 2, { transA: 1 }),
      [
        [7, 2],
        [7, 5],
      ],
      [[2, 5]],
    ),
  ).toBe(70);
  expect(
    macs(
      node("MatMul", 2),
      [
        [4, 2, 7],
        [7, 5],
      ],
      [[4, 2, 5]],
    ),
  ).toBe(280);
  expect(macs(node("MatMul", 2), [null, [7, 5]], [[4, 2, 5]])).toBeUndefined();
  expect(
    macs(
      node("Einsum", 2, { equation: "bij,bjk->bik" }),
      [
        [2, 3, 4],
        [2, 4, 5],
      ],
      [[2, 3, 5]],
    ),
  ).toBe(120);
  expect(
    macs(
      node("Einsum", 2, { equation: "...ij,jk" }),
      [
        [6, 3, 4],
        [4, 5],
      ],
      [[6, 3, 5]],
    ),
  ).toBe(360);
  // Four gates: X·W has 5 inputs, H·R 3 hidden.
  expect(
    macs(
      node("LSTM", 3),
      [
        [10, 2, 5],
        [1, 12, 5],
        [1, 12, 3],
      ],
      [null],
    ),
  ).toBe(20 * (60 + 36));
  expect(
    macs(
      node("Attention", 3),
      [
        [1, 2, 4, 8],
        [1, 2, 6, 8],
        [1, 2, 6, 8],
      ],
      [null],
    ),
  ).toBe(2 * 4 * 6 * 16);
  const attention3 = node("Attention", 3, { q_num_heads: 2, kv_num_heads: 2 });
  expect(
    macs(
      attention3,
      [
        [1, 4, 16],
        [1, 6, 16],
        [1, 6, 16],
      ],
      [null],
    ),
  ).toBe(2 * 4 * 6 * 16);
});
