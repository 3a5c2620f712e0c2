/**
 * What lowering made of each value and each product of the float model, written down as it is made: nobody looks for it afterwards.
 * Of a file that was read from disk `readShipped` makes the same map, as far as its operators say.
 */
import type { Layer } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import type { NotQuantized } from "../plan/plan.ts";

/** What became of the operators with floats, where a plan asks for half precision. */
export interface HalfReport {
  /** How many compute in half precision. */
  readonly nodes: number;
  /** Those that do not, by the name of the first output, each with the reason. */
  readonly float: readonly NotQuantized[];
}

/** What stands for a value of the float model. */
export interface LoweredValue {
  /** The number in front of the quantizer; undefined for a constant whose float data is gone. */
  readonly float?: Value | undefined;
  /** The integers: what QuantizeLinear returns, or a constant. On a float grid the narrower floats. */
  readonly quantized?: Value | undefined;
  /** The float number that readers get in its place; undefined where the integers are read as they are. */
  readonly dequantized?: Value | undefined;
}

/** What stands for a Conv, ConvTranspose, Gemm, MatMul, or a recurrent operator. */
export interface LoweredProduct {
  /** The nodes that compute it, in their order; the last one returns what the product returns. */
  readonly nodes: readonly Node[];
  /** The constant that holds its weight (W of a recurrent operator): integers, narrower floats, or the float weight itself. Absent: the weight is computed. */
  readonly weight?: Value | undefined;
}

/** A quantized model, and what its values and products stand for. */
export interface Shipped {
  readonly model: Model;
  /** By the name of the value in the float model; undefined where the file has no such value. */
  of(value: string): LoweredValue | undefined;
  /** Every product on two operands and every recurrent operator, in the order of the file. */
  readonly products: readonly LoweredProduct[];
}

/** What `lower` returns. */
export interface Lowered extends Shipped {
  /** What computes in half precision, where the plan asks for it. */
  readonly half?: HalfReport;
  /**
   * What became of a layer of the model that was lowered, or of a copy of it. Throws `graph/not-found` for a layer that this model
   * does not have.
   */
  layer(layer: Layer): LoweredProduct & { readonly weight: Value };
}
