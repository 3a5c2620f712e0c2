/** Writes nodes in few words: the arithmetic of gradients, with constants shared by content. */

import { AvocetError, invariant } from "../base/inner.ts";
import { shapeOf } from "../facts/inner.ts";
import {
  type AttributeLike,
  addNode,
  type Graph,
  type Node,
  type NodeOptions,
  type Place,
  staticShape,
  type TensorType,
  type Value,
} from "../ir/inner.ts";
import { type Shape, sizeOf, Tensor } from "../tensor/inner.ts";

/** Constants by dtype, shape and bytes, so that a thousand rules that need a zero make one. */
export type ConstantPool = Map<string, Value>;

/**
 * Appends nodes at the end of a graph, or in order from a place within it (`at`). Operators are of the standard domain at opset 18 or later (axes are inputs) unless
 * `domain` says otherwise. Values are float32 where nothing else is said.
 */
export class Emitter {
  readonly graph: Graph;
  /** Types of the forward values by name: every length is a number. */
  readonly types: ReadonlyMap<string, TensorType>;
  readonly #pool: ConstantPool;
  #place: Place | undefined;

  constructor(graph: Graph, types: ReadonlyMap<string, TensorType> = new Map(), pool: ConstantPool = new Map()) {
    this.graph = graph;
    this.types = types;
    this.#pool = pool;
  }

  /** An emitter of the same graph and constants whose nodes follow each other from this place on. */
  at(place: Place | undefined): Emitter {
    const placed = new Emitter(this.graph, this.types, this.#pool);
    placed.#place = place;
    return placed;
  }

  /** One node; its first output. */
  op(
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
    options: NodeOptions = {},
  ): Value {
    return this.#add(op, inputs, attributes, { output: `d_${op.toLowerCase()}`, ...options }).output;
  }

  /** One node with several outputs. */
  ops(
    op: string,
    outputs: number,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
    options: NodeOptions = {},
  ): readonly Value[] {
    const names = Array.from({ length: outputs }, () => `d_${op.toLowerCase()}`);
    return this.#add(op, inputs, attributes, { outputs: names, ...options }).outputs;
  }

  #add(
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>>,
    options: NodeOptions,
  ): Node {
    const node = addNode(
      this.graph,
      op,
      inputs,
      attributes,
      this.#place ? { ...options, place: this.#place } : options,
    );
    if (this.#place && "after" in this.#place) this.#place = { after: node };
    return node;
  }

  /** A constant; the same content returns the same value. */
  constant(tensor: Tensor): Value {
    const key = `${tensor.dtype} ${tensor.shape.join("x")} ${tensor.size <= 64 ? tensor.numbers().join() : `#${this.#pool.size}`}`;
    const found = this.#pool.get(key);
    if (found) return found;
    const made = this.graph.addInitializer("d_constant", tensor);
    this.#pool.set(key, made);
    return made;
  }

  scalar(value: number): Value {
    return this.constant(Tensor.scalar(value));
  }

  /** A scalar of int64. */
  int(value: number): Value {
    return this.constant(Tensor.scalar(value, "int64"));
  }

  /** A list of int64: shapes, axes, indices. */
  ints(values: readonly number[]): Value {
    return this.constant(Tensor.int64([values.length], values));
  }

  /** A tensor of this shape filled with one float. */
  filled(shape: Shape, value: number): Value {
    if (shape.length === 0) return this.scalar(value);
    return this.op("Expand", [this.scalar(value), this.ints(shape)]);
  }

  add(a: Value, b: Value): Value {
    return this.op("Add", [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.op("Sub", [a, b]);
  }

  /** A number as second factor is a scalar constant. */
  mul(a: Value, b: Value | number): Value {
    return this.op("Mul", [a, typeof b === "number" ? this.scalar(b) : b]);
  }

  div(a: Value, b: Value): Value {
    return this.op("Div", [a, b]);
  }

  neg(a: Value): Value {
    return this.op("Neg", [a]);
  }

  square(a: Value): Value {
    return this.op("Mul", [a, a]);
  }

  reshape(a: Value, shape: Shape): Value {
    return this.op("Reshape", [a, this.ints(shape)], { allowzero: 1 });
  }

  transpose(a: Value, perm: readonly number[]): Value {
    return perm.every((axis, i) => axis === i) ? a : this.op("Transpose", [a], { perm: [...perm] });
  }

  matMul(a: Value, b: Value): Value {
    return this.op("MatMul", [a, b]);
  }

  /** The last two axes of a value of this rank swapped. ONNX Runtime fuses it into the MatMul that reads it. */
  swapLast(a: Value, rank: number): Value {
    return this.transpose(a, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
  }

  /** Sum over axes (default all); no axes: the value itself. */
  sum(a: Value, axes?: readonly number[], keepdims = false): Value {
    if (axes && axes.length === 0) return a;
    return this.op("ReduceSum", axes ? [a, this.ints(axes)] : [a], { keepdims: keepdims ? 1 : 0 });
  }

  mean(a: Value, axes: readonly number[], keepdims = false): Value {
    return this.op("ReduceMean", [a, this.ints(axes)], { keepdims: keepdims ? 1 : 0 });
  }

  expand(a: Value, shape: Shape): Value {
    return this.op("Expand", [a, this.ints(shape)]);
  }

  concat(parts: readonly Value[], axis: number): Value {
    return parts.length === 1 ? parts[0]! : this.op("Concat", parts, { axis });
  }

  /** Elements from `starts` to `ends` (exclusive) of these axes. */
  slice(
    a: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ) {
    const list = [a, this.ints(starts), this.ints(ends), this.ints(axes), ...(steps ? [this.ints(steps)] : [])];
    return this.op("Slice", list);
  }

  /** 1 where `a` > 0, 0 elsewhere. One pass: comparisons and Where cost forty times as much. */
  step(a: Value): Value {
    return this.op("HardSigmoid", [a], { alpha: { type: "float", value: 1e38 }, beta: { type: "float", value: 0 } });
  }

  /** −1, 0 or 1. */
  sign(a: Value): Value {
    return this.op("Clip", [this.mul(a, 1e38), this.scalar(-1), this.scalar(1)]);
  }

  /** 1 where a > b, a half where both are equal, 0 elsewhere. */
  ahead(a: Value, b: Value): Value {
    const steep = { alpha: { type: "float", value: 1e38 }, beta: { type: "float", value: 0.5 } } as const;
    return this.op("HardSigmoid", [this.sub(a, b)], steep);
  }

  /** 1 where both are equal, 0 elsewhere. */
  same(a: Value, b: Value): Value {
    const steep = { alpha: { type: "float", value: -1e38 }, beta: { type: "float", value: 1 } } as const;
    return this.op("HardSigmoid", [this.op("Abs", [this.sub(a, b)])], steep);
  }

  /** 1 where |a| < `half`, 0 outside. */
  within(a: Value, half: number): Value {
    // A power of two, so that the products at the bound are exact.
    const steep = 2 ** 100;
    return this.op("HardSigmoid", [this.op("Abs", [a])], {
      alpha: { type: "float", value: -steep },
      beta: { type: "float", value: half * steep },
    });
  }

  /** A mask of bool as float32. */
  asFloat(a: Value): Value {
    return this.op("Cast", [a], { to: 1 });
  }

  /**
   * Sums what broadcasting repeated: the gradient of a value of shape `to` that was broadcast to `from`, from a gradient
   * of shape `from`.
   */
  unbroadcast(gradient: Value, from: Shape, to: Shape): Value {
    const lead = from.length - to.length;
    invariant(lead >= 0, `a gradient of shape [${from}] cannot belong to a value of shape [${to}]`);
    const axes = from.flatMap((length, axis) => {
      if (axis < lead) return [axis];
      return to[axis - lead] === 1 && length !== 1 ? [axis] : [];
    });
    const summed = this.sum(gradient, axes, true);
    return lead === 0 ? summed : this.reshape(summed, to);
  }

  /** The lengths of a forward value or constant. */
  shape(value: Value): Shape {
    const shape = shapeOf(value, this.types) ?? staticShape(value.type);
    if (shape) return shape;
    throw new AvocetError("autodiff/no-gradient", `expected the shape of every value, ${value.name} has none`, {
      at: value.name,
      hint: "give the types that traceShapes finds for these inputs",
    });
  }

  size(value: Value): number {
    return sizeOf(this.shape(value));
  }
}
