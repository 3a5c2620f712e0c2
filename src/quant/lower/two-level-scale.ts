/**
 * Scales on two levels as the file computes them: whole factors of the blocks behind a DequantizeLinear with a scale for each channel. AIMET
 * writes LPBQ so. Other forms of two levels stand as the products that they are, and so do all where activations are floats: there ONNX
 * Runtime packs blocks for MatMulNBits as it loads them, if their scales are constants (0.42 ms instead of 1.47 for 64 × 1536 × 576).
 */
import type { Place, Value } from "../../ir/inner.ts";
import { type Shape, Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { blockGroups } from "../grids/slices.ts";
import { packScales } from "../grids/two-level.ts";
import type { Draft } from "./draft.ts";
import { integerTensor, scaleShape } from "./stored.ts";

/** The scales of a constant of this shape, or undefined where no whole factors make them up. */
export function twoLevelScale(
  name: string,
  encoding: Encoding,
  shape: Shape,
  draft: Draft,
  place: Place | undefined,
): Value | undefined {
  const { granularity, twoLevel } = encoding;
  if (twoLevel?.form !== "lpbq" || granularity.kind !== "block") return undefined;
  const integers = [...draft.entries.values()].some(({ kind, grid }) => kind === "activation" && grid.kind === "int");
  const factors = integers ? packScales(encoding, shape) : undefined;
  const { coarse } = twoLevel;
  // What has several matrices has channels of the same number in each, and one axis cannot tell them apart.
  if (!factors || coarse.length !== shape[granularity.channelAxis]) return undefined;
  const ordered = blockGroups(shape, granularity).map((group) => factors[group]!);
  const dtype = ordered.some((factor) => factor > 255) ? "uint16" : "uint8";
  const inputs = [
    draft.constant(`${name}_scale_factors`, integerTensor(dtype, scaleShape(encoding, shape), ordered)),
    draft.constant(`${name}_scale_channels`, Tensor.float32([coarse.length], coarse)),
  ];
  const axis = { axis: granularity.channelAxis };
  return draft.insert("DequantizeLinear", inputs, `${name}_scale`, place, axis).output;
}
