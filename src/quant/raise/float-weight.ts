/** Constant integers with scales and zero points, as the float constant and the frozen entry of a plan that they stand for. */
import { AvocetError } from "../../base/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import { type DType, type Shape, sizeOf, type Tensor } from "../../tensor/inner.ts";
import type { Grid } from "../grids/codec.ts";
import type { Encoding, Granularity } from "../grids/encoding.ts";
import { dequantize } from "../grids/fake-quantize.ts";
import { codecs, isIntGrid, scaledCodecOf } from "../grids/grid.ts";
import { sliceCount } from "../grids/slices.ts";
import type { PlanEntry } from "../plan/plan.ts";
import type { Scales } from "./scales.ts";

export interface StoredWeight {
  readonly integers: Value;
  readonly scale: Tensor;
  readonly zero: Tensor | undefined;
  readonly granularity: Granularity;
  readonly node: Node;
}

export function floatWeight(
  graph: Graph,
  { integers, scale, zero, granularity, node }: StoredWeight,
): { readonly value: Value; readonly entry: PlanEntry } {
  const stored = integers.initializer!;
  const encoding = encodingOf(granularity, stored.dtype, { numbers: [...scale.floats()] }, zero);
  const value = graph.addInitializer(
    nameOf(integers, integers.name),
    floatsOf(stored.numbers(), stored.shape, encoding),
  );
  return { value, entry: entryOf(value.name, "weight", encoding, node) };
}

/** What integers of a file stand for. Throws `tensor/wrong-size` where scales do not fit the shape. */
export function floatsOf(integers: readonly number[], shape: Shape, encoding: Encoding): Tensor {
  const { shift } = scaledCodecOf(encoding.grid);
  sliceCount(shape, encoding.granularity);
  const codes = new Float64Array(sizeOf(shape));
  for (let i = 0; i < codes.length; i++) codes[i] = integers[i]! + shift;
  return dequantize(codes, shape, encoding);
}

/** What scales and zero points next to integers of this type say. */
export function encodingOf(granularity: Granularity, dtype: DType, scale: Scales, zero: Tensor | undefined): Encoding {
  const scales = scale.numbers;
  const points = zero ? zero.numbers() : scales.map(() => 0);
  const grid = codecNamed(dtype);
  const { shift } = scaledCodecOf(grid);
  const offset = scales.map((_, i) => -(points[points.length === 1 ? 0 : i] ?? 0) - shift + 0);
  const { twoLevel } = scale;
  const symmetric = isSymmetric(offset, grid);
  return { grid, granularity, symmetric, scale: scales, offset, ...(twoLevel ? { twoLevel } : {}) };
}

export function entryOf(value: string, kind: "weight" | "bias", encoding: Encoding, node: Node): PlanEntry {
  const { grid, granularity, symmetric } = encoding;
  return { value, kind, grid, granularity, symmetric, reason: `read from ${node}`, encoding, frozen: true };
}

/** What the constant was called in the float model, as the writers that we know name its integers. */
export function nameOf(stored: Value, dequantized: string): string {
  const found = /^(.+?)(_quantized|_q|_quant)$/.exec(stored.name);
  return found?.[1] ?? dequantized.replace(/(_dequantized|_DequantizeLinear_Output|_qdq|_dq)$/, "");
}

export function codecNamed(dtype: DType): Grid {
  const found = Object.values(codecs).find((codec) => codec.name === dtype);
  if (found && found.kernel !== "cast") return found.grid;
  throw new AvocetError("quant/unsupported-model", `expected integers or float8 behind a quantizer, got ${dtype}`);
}

function isSymmetric(offset: readonly number[], grid: Grid): boolean {
  return !isIntGrid(grid) || offset.every((o) => o === -(2 ** (grid.bits - 1)));
}
