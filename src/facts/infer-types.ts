/** Types of the values of a model, as far as they follow from the file: nothing is run, nothing is changed. */

import { cloneModel, type Dim, type Model, type TensorType, tensorType } from "../ir/inner.ts";
import { dtypeOf } from "./dtype.ts";
import { LengthTable } from "./lengths/lengths.ts";

export interface InferOptions {
  /** Length of the first axis of every input that leaves it open; null keeps it open. Default 1: what one sample costs. */
  readonly batch?: number | null;
  /** Lengths of other open axes, by name. */
  readonly dims?: Readonly<Record<string, number>>;
}

/**
 * Type by value name, for the main graph: what is declared, and what operators with static rules make of it. Lengths
 * that stay open are null. A value whose element type or rank is not known is left out. For exact shapes of any
 * operator, `traceShapes` runs the model.
 */
export function inferTypes(model: Model, { batch = 1, dims = {} }: InferOptions = {}): Map<string, TensorType> {
  const copy = cloneModel(model);
  for (const input of copy.graph.inputs) {
    if (input.type?.kind !== "tensor" || !input.type.shape || input.initializer) continue;
    const shape = input.type.shape.map((dim, axis): Dim => {
      if (typeof dim === "number") return dim;
      return (dim !== null ? dims[dim] : undefined) ?? (axis === 0 ? (batch ?? dim) : dim);
    });
    input.type = tensorType(input.type.dtype, shape);
  }
  // What the file says of inner values was said with the open lengths; the table is to find the numbers.
  const table = new LengthTable(copy);
  const types = new Map<string, TensorType>();
  for (const value of copy.graph.values()) {
    const lengths = table.of(value);
    const dtype = dtypeOf(value);
    if (!lengths || !dtype) continue;
    types.set(
      value.name,
      tensorType(
        dtype,
        lengths.map((length) => (typeof length === "number" ? length : null)),
      ),
    );
  }
  return types;
}
