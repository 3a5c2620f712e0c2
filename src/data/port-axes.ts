/** How what data holds for an input becomes what the model takes: samples moved from the first axis to the input's own. */
import { AvocetError } from "../base/inner.ts";
import { arrayKind, type DType, isFloat, Tensor } from "../tensor/inner.ts";
import type { InputPort } from "./dataset.ts";
import { gatherRows, moveFirstAxis, sameNumbers, sliceRows } from "./rows.ts";

/** The axis of an input that counts samples; null for one tensor that holds for all of them. */
export function portAxis({ batch, shape }: InputPort): number | null {
  if (batch !== undefined) return batch;
  return shape?.length === 0 ? null : 0;
}

/**
 * The tensor of `rows` samples with its samples on the axis of the port. `from` is the axis on which it has them
 * (undefined: the first; null: it holds for all). A tensor of one axis more than the port is a stack of whole inputs of
 * one sample each. What fits in no way is returned as it is, for the check of shapes to refuse.
 */
export function fitAxis(
  given: Tensor | undefined,
  port: InputPort,
  rows: number,
  from: number | null | undefined,
  source: string,
): Tensor {
  const axis = portAxis(port);
  if (!given || port.constant !== undefined) return filled(port, rows, source);
  if (from === axis) return given;
  const rank = port.shape?.length;
  if (from === null) return axis === null ? given : repeated(given, axis, rows);
  if (from !== undefined && from > 0) return given;
  if (rank === undefined) return given;
  const { shape } = given;
  if (axis === null) return shape.length === rank + 1 ? sameForAll(given, port, source) : given;
  if (shape.length === rank + 1 && shape[axis + 1] === 1) {
    const rest = shape.filter((_, i) => i !== axis + 1);
    return moveFirstAxis(Tensor.of(given.dtype, rest, given.data), axis);
  }
  return shape.length === rank ? moveFirstAxis(given, axis) : given;
}

/** [N, …port] → […port]. Throws `data/wrong-shape` when the samples of a run differ. */
function sameForAll(given: Tensor, port: InputPort, source: string): Tensor {
  const [rows = 0, ...shape] = given.shape;
  const row = (index: number) => Tensor.of(given.dtype, shape, sliceRows(given, index, index + 1).data);
  const first = row(0);
  for (let i = 1; i < rows; i++) {
    if (sameNumbers(first, row(i))) continue;
    throw new AvocetError("data/wrong-shape", `expected one "${port.name}" for all samples of a run, got several`, {
      at: source,
      hint: "--batch 1 runs samples one by one",
    });
  }
  return first;
}

/** One sample's tensor for every sample. Without an axis of length 1 to repeat it is returned as it is. */
function repeated(given: Tensor, axis: number, rows: number): Tensor {
  return given.shape[axis] === 1 && rows > 1 ? gatherRows(given, new Array<number>(rows).fill(0), axis) : given;
}

/** An input that one number fills. Throws `data/wrong-shape` where its shape is not known. */
function filled(port: InputPort, rows: number, source: string): Tensor {
  const axis = portAxis(port);
  const shape = port.shape?.map((dim, i) => (i === axis && typeof dim !== "number" ? rows : dim));
  if (!shape?.every((dim) => typeof dim === "number")) {
    const got = port.shape ? `[${port.shape.map((dim) => dim ?? "?").join(",")}]` : "none";
    throw new AvocetError("data/wrong-shape", `expected an input of known shape to fill, "${port.name}" has ${got}`, {
      at: source,
      hint: "give an array for it",
    });
  }
  const wanted = (port.dtype ?? "float32") as DType;
  // Half floats are made of float32 with the rest of the data.
  const dtype = isFloat(wanted) ? "float32" : wanted;
  if (!isFloat(dtype) && !Number.isSafeInteger(port.constant)) {
    throw new AvocetError("data/wrong-dtype", `expected a whole number for "${port.name}", got ${port.constant}`, {
      at: source,
      hint: `the model takes ${wanted}`,
    });
  }
  const size = shape.reduce((a, b) => a * b, 1);
  const Kind = arrayKind(dtype);
  const data = new Kind(size);
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  (data as unknown as { fill(value: number | bigint): void }).fill(big ? BigInt(port.constant!) : port.constant!);
  return Tensor.of(dtype, shape, data);
}
