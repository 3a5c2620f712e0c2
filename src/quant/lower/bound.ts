/**
 * A Min or Max with a constant between two quantizers on one grid (placement gives both one encoding): rounding keeps order, so that the bound
 * may be rounded once and held among the integers. A ReLU6 behind equalization has a bound for each channel; in float it cost three operators,
 * and the kernels of Min and Max take 8 bits (docs/onnx-runtime.md).
 */
import { roundHalfEven } from "../../base/inner.ts";
import { constantBound, constantOf } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { dtypes, type Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { codecOf, isIntGrid } from "../grids/grid.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { activationEncoding, retyped } from "./activation.ts";
import type { LoweringRow } from "./row.ts";
import { integerTensor, storedEnds, storedZeroPoint } from "./stored.ts";

export const boundRow: LoweringRow = {
  name: "bound",
  matches: (entry, value) => bounded(entry, value) !== undefined,
  emit(entry, value, draft) {
    const { node, dequantize, bound } = bounded(entry, value)!;
    const encoding = activationEncoding(entry, draft.opset);
    const dtype = codecOf(encoding.grid).quantizer;
    const { scale, zeroPoint } = draft.store(entry, encoding, dtype, []);
    const ends = integerTensor(dtype, bound.shape, integersOf(bound, encoding));
    const inputs = [dequantize.input(0)!, draft.constant(`${entry.value}_bound`, ends)];
    let quantized: Value | undefined;
    const last = draft.putBehind(entry, value, (place) => {
      const among = draft.insert(node.op, inputs, `${entry.value}_quantized`, place);
      quantized = among.output;
      quantized.type = retyped(value, dtype);
      const name = `${entry.value}_dequantized`;
      return [among, draft.insert("DequantizeLinear", [quantized, scale, zeroPoint], name, { after: among })];
    });
    draft.record.quantizes(entry.value, { quantized, dequantized: last.output });
    draft.dropUnread(node, dequantize);
  },
};

/** The Min or Max that gives the value, what it reads the integers of, and its constant; undefined where the bound has to stay in float. */
function bounded({ kind, grid, encoding }: PlanEntry, value: Value) {
  const node = value.producer;
  const found = node && kind === "activation" && isIntGrid(grid) ? constantBound(node) : undefined;
  const dequantize = found?.x.producer;
  const bound = found && constantOf(found.bound);
  if (!node || !bound || dequantize?.op !== "DequantizeLinear" || encoding?.scale.length !== 1) return undefined;
  const [scale, zeroPoint] = [dequantize.input(1)?.initializer, dequantize.input(2)?.initializer];
  if (scale?.size !== 1 || !zeroPoint || dtypes[zeroPoint.dtype].bits !== 8) return undefined;
  const asStored = { ...encoding, grid: { ...grid, signed: zeroPoint.dtype === "int8" } };
  const same =
    scale.floats()[0] === Math.fround(encoding.scale[0]!) && zeroPoint.numbers()[0] === storedZeroPoint(asStored);
  return same ? { node, dequantize, bound } : undefined;
}

/** The constant as QuantizeLinear rounds it, within the grid. */
function integersOf(bound: Tensor, encoding: Encoding): number[] {
  const [scale, zero, { low, high }] = [
    Math.fround(encoding.scale[0]!),
    storedZeroPoint(encoding),
    storedEnds(encoding),
  ];
  return Array.from(bound.floats(), (x) => Math.max(low, Math.min(high, roundHalfEven(Math.fround(x / scale)) + zero)));
}
