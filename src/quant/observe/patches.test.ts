/**
 * Patches of every form of a linear layer: the weight's matrix times a patch is what ONNX Runtime computes at that place. Inputs
 * and weights are small integers, so that both are exact.
 */

import { expect, test } from "vitest";
import { outputsOf } from "../../../test/same-outputs.ts";
import { Random } from "../../base/inner.ts";
import { matrixLayers, matrixOf } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { patchGeometry } from "./patches.ts";

const random = new Random(17);
const pick = <T>(...from: readonly T[]): T => from[random.integer(from.length)]!;
const integers = (shape: readonly number[]) =>
  Tensor.float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.integer(7) - 3),
  );

interface Form {
  readonly node: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
}

function convolution(rank: number): Form {
  const lengths = Array.from({ length: rank }, () => 3 + random.integer(rank === 3 ? 2 : 5));
  const kernel = lengths.map((n) => 1 + random.integer(Math.min(3, n)));
  const dilations = lengths.map((n, d) => ((kernel[d]! - 1) * 2 < n ? pick(1, 2) : 1));
  const plain = dilations.every((n) => n === 1);
  const auto = pick("NOTSET", "NOTSET", "VALID", ...(plain ? ["SAME_UPPER", "SAME_LOWER"] : []));
  const group = pick(1, 2, 4);
  const attributes = [
    `group = ${group}`,
    `strides = [${lengths.map(() => pick(1, 2, 3))}]`,
    `dilations = [${dilations}]`,
    auto === "NOTSET" ? `pads = [${[...lengths, ...lengths].map(() => random.integer(3))}]` : `auto_pad = "${auto}"`,
  ];
  return {
    node: `Conv <${attributes.join(", ")}>`,
    x: [2, 4, ...lengths],
    w: [group * (1 + random.integer(2)), 4 / group, ...kernel],
  };
}

function transposed(rank: number): Form {
  const lengths = Array.from({ length: rank }, () => 2 + random.integer(rank === 3 ? 2 : 4));
  const kernel = lengths.map(() => 1 + random.integer(3));
  const strides = lengths.map(() => pick(1, 2, 3));
  const dilations = lengths.map(() => pick(1, 1, 2));
  const extra = lengths.map((_, d) => (strides[d]! > 1 ? random.integer(2) : 0));
  const full = lengths.map((n, d) => (n - 1) * strides[d]! + (kernel[d]! - 1) * dilations[d]! + 1 + extra[d]!);
  const group = pick(1, 2, 4);
  const auto = pick("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER");
  const attributes = [
    `group = ${group}`,
    `strides = [${strides}]`,
    `dilations = [${dilations}]`,
    `output_padding = [${extra}]`,
  ];
  if (auto !== "NOTSET") attributes.push(`auto_pad = "${auto}"`);
  if (auto !== "VALID" && random.integer(3) === 0) {
    attributes.push(`output_shape = [${full.map((n) => Math.max(1, n - random.integer(3)))}]`);
  } else if (auto === "NOTSET") {
    const before = full.map((n) => random.integer(Math.min(2, n)));
    const after = full.map((n, d) => random.integer(Math.min(2, n - before[d]!)));
    attributes.push(`pads = [${[...before, ...after]}]`);
  }
  return {
    node: `ConvTranspose <${attributes.join(", ")}>`,
    x: [2, 4, ...lengths],
    w: [4, 1 + random.integer(2), ...kernel],
  };
}

const products: Form[] = [
  { node: "MatMul", x: [4], w: [4, 3] },
  { node: "MatMul", x: [3, 4], w: [4, 3] },
  { node: "MatMul", x: [2, 3, 4], w: [4, 5] },
  { node: "MatMul", x: [2, 3, 2, 4], w: [4, 1] },
  { node: "Gemm", x: [3, 4], w: [4, 5] },
  { node: "Gemm <transB = 1>", x: [3, 4], w: [5, 4] },
];

/** False where ONNX Runtime finds asked lengths inconsistent. */
async function expectPatches({ node, x, w }: Form): Promise<boolean> {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 21]>
    g (float[${x.join(",")}] x) => (float y) <float[${w.join(",")}] w> { y = ${node} (x, w) }`,
    { seed: 1 },
  );
  const weight = integers(w);
  model.graph.valuesByName().get("w")!.initializer = weight;
  const input = integers(x);
  const made = await outputsOf(model, { x: input }).catch((error) => {
    if (/inconsistent with input spatial dimensions/.test(`${error}`)) return null;
    throw error;
  });
  if (!made) return false;
  const wanted = made.y!;
  const [layer] = matrixLayers(model.graph);
  const { groups, outputs, columns } = layer!.matrix;
  const geometry = patchGeometry(layer!, x);
  expect(geometry.samples * geometry.positions * groups * outputs, node).toBe(wanted.size);
  const matrix = matrixOf(layer!.matrix, weight);
  const patch = new Float32Array(groups * columns);
  const found = new Float64Array(wanted.size);
  const channelsFirst = node.startsWith("Conv");
  for (let sample = 0; sample < geometry.samples; sample++) {
    for (let position = 0; position < geometry.positions; position++) {
      geometry.copy(input.floats(), sample, position, patch, 0, columns);
      for (let row = 0; row < groups * outputs; row++) {
        const group = Math.floor(row / outputs);
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += matrix[row * columns + k]! * patch[group * columns + k]!;
        const place = channelsFirst ? row * geometry.positions + position : position * groups * outputs + row;
        found[sample * groups * outputs * geometry.positions + place] = sum;
      }
    }
  }
  // Zero has one sign only once it is added to.
  expect(
    Array.from(found, (v) => v + 0),
    node,
  ).toEqual(Array.from(wanted.floats(), (v) => v + 0));
  return true;
}

test.each([1, 2, 3])(
  "convolutions, %i-dimensional: strides, dilations, paddings of each side, groups",
  async (rank) => {
    for (let i = 0; i < 60; i++) await expectPatches(convolution(rank));
  },
);

test.each([1, 2, 3])(
  "transposed ones, %i-dimensional: also asked lengths and strides beyond the kernel",
  async (rank) => {
    let compared = 0;
    for (let i = 0; i < 60; i++) if (await expectPatches(transposed(rank))) compared++;
    expect(compared).toBeGreaterThan(45);
  },
);

test.each(products)("$node of [$x] and [$w]", async (form) => {
  expect(await expectPatches(form)).toBe(true);
});
