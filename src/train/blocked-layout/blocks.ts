/**
 * The blocked layout of ONNX Runtime's domain `com.microsoft.nchwc`: channels in blocks that fill a vector register, so that
 * [N, C, H, W] lies in memory as [N, C / b, H, W, b] while the tensor keeps its shape. Weights [O, I, h, w] lie as
 * [O / b, I / b, h, w, b of I, b of O].
 */
import type { Emitter } from "../../autodiff/inner.ts";
import type { AttributeLike, Node, Value } from "../../ir/inner.ts";
import type { Shape } from "../../tensor/inner.ts";

export const nchwc = "com.microsoft.nchwc";

/** Writes a node of the blocked domain. */
export function blockedOp(
  e: Emitter,
  op: string,
  inputs: readonly (Value | null)[],
  attributes: Readonly<Record<string, AttributeLike>> = {},
): Value {
  return e.op(op, inputs, attributes, { domain: nchwc });
}

/** What a converter may ask of the walk over the graph. */
export interface Layouts {
  /** Channels in a block. */
  readonly block: number;
  /** Shape of a value of the graph as it was. */
  shapeOf(value: Value | null): Shape | undefined;
  /** Whether the value can be in blocks: float32, two spatial axes, whole blocks of channels. */
  fits(value: Value | null): value is Value;
  /** Whether the value is there in blocks already. */
  isBlocked(value: Value | null): boolean;
  /** The value in blocks; reordered where it is not. */
  blocked(value: Value): Value;
}

/** What a converter made of a node: its first output in blocks, or as it was. */
export type Converted = { readonly blocked: Value } | { readonly plain: Value };

/** Writes a node in blocks ahead of it, or says null. */
export type Converter = (layouts: Layouts, node: Node, e: Emitter) => Converted | null;

/** Weights [O, I, h, w] of a plain Conv in blocks; with fewer input channels than a block only the outputs are blocked. */
export function blockedWeight(e: Emitter, w: Value, [o = 1, i = 1, ...kernel]: Shape, block: number): Value {
  const size = kernel.reduce((product, length) => product * length, 1);
  if (i < block) {
    const split = e.reshape(w, [o / block, block, i, size]);
    return e.reshape(e.transpose(split, [0, 2, 3, 1]), [o, i, ...kernel]);
  }
  const split = e.reshape(w, [o / block, block, i / block, block, size]);
  return e.reshape(e.transpose(split, [0, 2, 4, 3, 1]), [o, i, ...kernel]);
}

/** Weights [C, 1, h, w] of a depthwise Conv in blocks. */
export function blockedDepthwise(e: Emitter, w: Value, [channels = 1, , ...kernel]: Shape, block: number): Value {
  const size = kernel.reduce((product, length) => product * length, 1);
  if (size === 1) return w;
  const split = e.reshape(w, [channels / block, block, size]);
  return e.reshape(e.transpose(split, [0, 2, 1]), [channels, 1, ...kernel]);
}
