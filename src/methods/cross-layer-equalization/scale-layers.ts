/** Writes scales into layers and constants. */

import { isRefused } from "../../base/inner.ts";
import { floatConstant } from "../../facts/inner.ts";
import {
  editableProduct,
  moveBatchNormStatistics,
  replaceConstant,
  scaleInput,
  scaleOutput,
} from "../../passes/inner.ts";
import { elementsOf, floatTensor } from "../../tensor/inner.ts";
import { broadcastDims, expand, padRank } from "./layout.ts";
import type { TracedConstant, TracedLayer } from "./trace-groups.ts";

/** Divides what a layer computes and multiplies what it reads. Returns 1 if that changed it. */
export function scaleLayer({ layer, inputs, outputs }: TracedLayer, scaleOf: (id: number) => number): number {
  const { node } = layer;
  const divided = Array.from(outputs, (id) => 1 / scaleOf(id));
  const multiplied = Array.from(inputs, scaleOf);
  const isChanged = (scales: readonly number[]) => scales.some((s) => s !== 1);
  if (isChanged(divided)) {
    const affine = { scale: divided, shift: divided.map(() => 0) };
    moveBatchNormStatistics(scaleOutput(layer, affine), affine);
  }
  if (isChanged(multiplied)) {
    const now = editableProduct(node);
    if (now && !isRefused(now)) scaleInput(now, { scale: multiplied, shift: multiplied.map(() => 0) });
  }
  return isChanged(divided) || isChanged(multiplied) ? 1 : 0;
}

/** A constant that is added to scaled channels, or compared with them. */
export function divideConstant({ node, index, layout }: TracedConstant, scaleOf: (id: number) => number): void {
  if (layout.ids.every((id) => scaleOf(id) === 1)) return;
  const constant = floatConstant(node.input(index))!;
  const rank = Math.max(constant.shape.length, layout.dims.length);
  const dims = broadcastDims(constant.shape, layout.dims);
  const ids = expand(padRank(layout, rank), dims)!.ids;
  const places = Int32Array.from({ length: constant.size }, (_, i) => i);
  const source = expand(padRank({ dims: constant.shape, ids: places }, rank), dims)!.ids;
  const old = elementsOf(constant);
  const tensor = floatTensor(constant.dtype, dims, (i) => old[source[i]!]! / scaleOf(ids[i]!));
  replaceConstant(node.graph!, node, index, tensor, `${node.output.name}.constant`);
  const affine = alongLastOrChannel(layout, scaleOf);
  if (affine) moveBatchNormStatistics(node.output, affine);
}

/** The scales as an affine map per channel, where the layout changes along one axis only. */
function alongLastOrChannel({ dims, ids }: TracedConstant["layout"], scaleOf: (id: number) => number) {
  if (dims.filter((d) => d !== 1).length > 1) return undefined;
  return { scale: Array.from(ids, (id) => 1 / scaleOf(id)), shift: Array.from(ids, () => 0) };
}
