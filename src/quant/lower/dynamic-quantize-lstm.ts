/**
 * An LSTM whose two weights are integers: com.microsoft.DynamicQuantizeLSTM, which rounds what it reads, and its state at every step, to
 * uint8 on the range of the very numbers. W lies turned, [directions, inputs, 4 · hidden], R likewise, with a scale per direction or per
 * column. It needs no data, and is the one recurrent integer kernel that ONNX Runtime has.
 */

import { isRefused } from "../../base/inner.ts";
import { activationsOf, floatConstant, initializerOf, isOp, recurrentInputs } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { dtypes, Tensor } from "../../tensor/inner.ts";
import { codecOf, isIntGrid } from "../grids/grid.ts";
import type { PlanEntry } from "../plan/plan.ts";
import type { Draft } from "./draft.ts";
import type { StorageForm } from "./row.ts";
import { integerTensor, quantizedTensor, storedZeroPoint } from "./stored.ts";

const { w: inputWeight, r: stateWeight } = recurrentInputs;

export const dynamicQuantizeLstm: StorageForm = {
  name: "dynamicquantizelstm",
  title: "DynamicQuantizeLSTM",
  replaces: "recurrence",
  matches: ({ storage }) => storage === "dynamicquantizelstm",
  refusal(entry, value, entries) {
    const [node] = value.consumers();
    const refused = node ? notDynamic(node) : "nobody reads it";
    if (refused !== undefined) return refused;
    for (const index of [inputWeight, stateWeight]) {
      const other = node!.input(index)!;
      const found = other === value ? entry : entries.get(other.name);
      const fault = found ? faultOf(found, other) : "it stays in float";
      if (fault !== undefined) return other === value ? fault : `${other.name} cannot be stored so: ${fault}`;
    }
    return undefined;
  },
  weightOf: (node) => {
    if (node.op !== "DynamicQuantizeLSTM") return undefined;
    const read = node.input(inputWeight);
    return (read?.producer?.op === "Cast" ? read.producer.input(0) : read) ?? undefined;
  },
  whyFloat: (node) => `ONNX Runtime did not run ${node}`,
  emit(entry, value, draft) {
    const node = value.consumers()[0]!;
    const weights = [inputWeight, stateWeight].map((index) => {
      const read = node.input(index)!;
      const own = read === value ? entry : draft.entries.get(read.name)!;
      return { read, own, ...stored(own, read.initializer!, node, draft) };
    });
    const [w, r] = weights as [(typeof weights)[number], (typeof weights)[number]];
    const inputs = Array.from({ length: 8 }, (_, i) => node.input(i) ?? null);
    inputs[inputWeight] = w.integers;
    inputs[stateWeight] = r.integers;
    draft.replace(node, {
      op: "DynamicQuantizeLSTM",
      domain: "com.microsoft",
      inputs: [...inputs, w.scale, w.zeroPoint, r.scale, r.zeroPoint],
      attributes: Object.fromEntries([...node.attributes].filter(([name]) => name !== "layout")),
    });
    draft.needs("com.microsoft", 1);
    for (const { read, own, constant } of weights) {
      draft.discard(own.value, read);
      draft.record.quantizes(own.value, { quantized: constant });
    }
  },
};

/** Why an LSTM cannot be such a node, whatever its grids are; undefined: it can. */
export function notDynamic(node: Node): string | undefined {
  if (!isOp(node, "LSTM")) return `ONNX Runtime has no integer kernel of ${node.op}`;
  if (node.int("layout", 0) !== 0) return "its layout 1 has no kernel in ONNX Runtime";
  const activations = activationsOf(node);
  if (isRefused(activations)) return activations.refused;
  for (const index of [inputWeight, stateWeight]) {
    const value = node.input(index);
    if (!initializerOf(value)) return "its weights are computed";
    if (value!.isGraphOutput || value!.useCount !== 1) return "others read its weights, too";
    if (floatConstant(value)?.dtype !== "float32") return "its weights are not float32";
  }
  return undefined;
}

/** Why the entry of one of the two weights does not suit the operator. */
function faultOf({ grid, granularity, symmetric, kind }: PlanEntry, value: Value): string | undefined {
  const [directions = 1, , columns = 0] = value.initializer!.shape;
  if (kind !== "weight" || !isIntGrid(grid) || grid.bits > 8) return "it takes 8 bits and fewer";
  if (!symmetric) return "it takes symmetric weights";
  if (granularity.kind === "tensor") return undefined;
  if (granularity.kind === "channel")
    return granularity.axis === 1 || granularity.axis === 0 ? undefined : "it takes scales per row of the gates";
  const whole = granularity.axis === 2 && granularity.size === columns;
  return whole && directions > 0 ? undefined : "it takes no blocks within a row";
}

/** The integers, turned, with their scales [directions] or [directions, 4 · hidden]. */
function stored(entry: PlanEntry, tensor: Tensor, node: Node, draft: Draft) {
  const encoding = entry.encoding!;
  const [directions, rows, columns] = tensor.shape as [number, number, number];
  const codec = codecOf(encoding.grid);
  // Products of uint8 saturate on no processor; those of narrower integers are too small to.
  const unsigned = entry.pairSafe === true && codec.stored === "int8";
  const numbers = quantizedTensor(tensor, encoding).numbers();
  const shift = unsigned ? 128 : 0;
  const codes = new Int16Array(numbers.length);
  let next = 0;
  for (let d = 0; d < directions; d++)
    for (let column = 0; column < columns; column++)
      for (let row = 0; row < rows; row++) codes[next++] = numbers[(d * rows + row) * columns + column]! + shift;
  const turned = integerTensor(unsigned ? "uint8" : codec.stored, [directions, columns, rows], codes);
  const constant = draft.constant(`${entry.value}_quantized`, turned);
  const type = unsigned ? "uint8" : codec.quantizer;
  const integers =
    turned.dtype === type
      ? constant
      : draft.insert("Cast", [constant], `${entry.value}_${type}`, { before: node }, { to: dtypes[type].onnx }).output;
  const { scale } = encoding;
  const perRow =
    encoding.granularity.kind !== "tensor" &&
    !(encoding.granularity.kind === "channel" && encoding.granularity.axis === 0);
  const shape = perRow ? [directions, rows] : [directions];
  const count = perRow ? directions * rows : directions;
  const at = (i: number) => i % scale.length;
  const scales = Float32Array.from({ length: count }, (_, i) => scale[at(i)]!);
  const zeros = Array.from({ length: count }, (_, i) => storedZeroPoint(encoding, at(i)) + shift);
  return {
    constant,
    integers,
    scale: draft.constant(`${entry.value}_scale`, Tensor.float32(shape, scales)),
    zeroPoint: draft.constant(`${entry.value}_zero_point`, integerTensor(type, shape, zeros)),
  };
}
