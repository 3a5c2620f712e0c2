/** Where a linear layer's bias is: its own input, or the constant of the Add behind a product that has none. */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { defaultOf, floatConstant, initializerOf } from "../constants.ts";
import { onlyReader } from "../readers.ts";
import { isOp } from "../walk.ts";

export interface BiasSlot {
  /** The layer itself, or the Add behind it. */
  readonly node: Node;
  readonly index: number;
  /** Whether there is room for one number per output: the one number that an Add adds to all of them leaves none. */
  readonly perOutput: boolean;
}

/** The Add that alone reads a product without a bias input. */
export function addBehind(product: Node): Node | undefined {
  const add = onlyReader(product.output);
  return isOp(add, "Add") ? add : undefined;
}

/**
 * The input that holds, or can take, the bias of a product with so many outputs. Its weight need not be constant: in a quantized
 * model it comes from a DequantizeLinear, as the bias may.
 */
export function biasSlot(product: Node, outputs: number): BiasSlot | Refused {
  const index = rowOf(product)?.linear?.bias;
  if (index !== null && index !== undefined) return { node: product, index, perOutput: true };
  const add = addBehind(product);
  if (!add) return refuse("it has no bias input, and no Add alone reads it");
  const side = add.input(0) === product.output ? 1 : 0;
  const value = add.input(side);
  const length = defaultOf(value)?.shape.at(-1) ?? dequantizedLength(value);
  if (length === outputs) return { node: add, index: side, perOutput: true };
  if (defaultOf(value)?.size === 1) return { node: add, index: side, perOutput: false };
  return refuse("what the Add behind it adds is no bias");
}

/** The slot that has room for one number per output, or why a new bias must be added behind the product. */
export function vectorSlot(product: Node, outputs: number): BiasSlot | Refused {
  const slot = biasSlot(product, outputs);
  return isRefused(slot) || slot.perOutput ? slot : refuse("its Add adds one number to all outputs");
}

/** A bias that is quantized comes from a DequantizeLinear over a constant. */
function dequantizedLength(value: Value | null): number | undefined {
  const source = value?.producer;
  return source?.op === "DequantizeLinear" ? source.input(0)?.initializer?.shape.at(-1) : undefined;
}

/** What a slot holds, one number per output: zeros where it is empty or there is none, a reason where it cannot be read. */
export function biasOf(slot: BiasSlot | Refused, outputs: number): Float64Array | Refused {
  if (isRefused(slot)) return new Float64Array(outputs);
  if (betaOf(slot.node) === 0) return refuse("its beta is 0: a bias would have no effect");
  const value = slot.node.input(slot.index);
  if (!value) return new Float64Array(outputs);
  const tensor = floatConstant(value);
  if (!tensor) return refuse("its bias is computed");
  if (tensor.size === 1) return new Float64Array(outputs).fill(tensor.numbers()[0]!);
  if (tensor.size !== outputs || tensor.shape.at(-1) !== outputs) return refuse("its bias differs from row to row");
  return Float64Array.from(tensor.numbers());
}

/** A constant vector that a linear operator adds to its product. */
export interface AddedVector {
  /** [outputs], or [1] for all of them. */
  readonly tensor: Tensor;
  /** It counts so many times next to the bare product of input and weight: Gemm's beta / alpha. */
  readonly factor: number;
}

/**
 * The vector that an operator of the standard adds to its product: its bias, or that of the Add that alone reads it. Other forms
 * (rows that differ, leading axes) have no integer kernel: they are added in float.
 */
export function addedVector(product: Node): AddedVector | undefined {
  const role = product.domain === "" ? rowOf(product)?.linear : undefined;
  if (!role) return undefined;
  const add = addBehind(product);
  const value = role.bias === null ? add?.inputs.find((one) => one !== product.output) : product.input(role.bias);
  const tensor = initializerOf(value);
  if (tensor?.shape.length !== 1) return undefined;
  const alpha = isOp(product, "Gemm") ? product.float("alpha", 1) : 1;
  return { tensor, factor: alpha === 0 ? 0 : betaOf(product) / alpha };
}

/** What a Gemm multiplies its bias by; one for all others. */
export function betaOf(product: Node): number {
  return isOp(product, "Gemm") ? product.float("beta", 1) : 1;
}
