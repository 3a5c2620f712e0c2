/** What placement needs to know of a model: element types, shapes, which values are parameters and which are moved. */

import type { Refused } from "../base/inner.ts";
import { initializerOf, isRecurrent, type Layer, productAt, shapeOf } from "../facts/inner.ts";
import { type Model, type Node, staticShape, type TensorType, type Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { isFloat } from "../tensor/inner.ts";

/** A constant that an operator owns: a weight, a bias, a statistic. */
export interface Parameter {
  readonly node: Node;
  readonly index: number;
  readonly value: Value;
  /** AIMET's name of it: weight, bias, weight_r, running_mean, running_var. */
  readonly kind: string;
  /** For the weight and the bias of a linear operator; refused where the weight is computed. */
  readonly layer?: Layer | Refused;
  readonly normalization?: true;
}

const recurrent: Readonly<Record<number, string>> = { 1: "weight", 2: "weight_r", 3: "bias" };
const normalizing = ["weight", "bias", "running_mean", "running_var"];

/** What they give is no tensor, which a trace cannot tell. */
const sequences = new Set(
  "Optional SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap SplitToSequence".split(" "),
);

export class Facts {
  readonly model: Model;
  readonly #shapes: ReadonlyMap<string, TensorType>;
  readonly #parameters = new Map<Value, Parameter[]>();
  readonly #ofNode = new Map<Node, Parameter[]>();

  constructor(model: Model, shapes: ReadonlyMap<string, TensorType>) {
    this.model = model;
    this.#shapes = shapes;
    for (const node of model.graph.nodes) {
      const found = [...parametersOf(node)];
      this.#ofNode.set(node, found);
      for (const one of found) {
        const others = this.#parameters.get(one.value);
        if (others) others.push(one);
        else this.#parameters.set(one.value, [one]);
      }
    }
  }

  /** Whether the value is a tensor of floats that has any, as traced, declared, or (where nothing is known) taken to be. */
  isFloat(value: Value): boolean {
    const type = this.#shapes.get(value.name) ?? value.type;
    if (!type) return !sequences.has(value.producer?.domain === "" ? value.producer.op : "");
    return type.kind === "tensor" && isFloat(type.dtype) && type.shape?.includes(0) !== true;
  }

  /** The lengths where they are known numbers. */
  shape(value: Value): readonly number[] | undefined {
    return shapeOf(value, this.#shapes) ?? staticShape(value.type);
  }

  /** The positions where the value is a parameter; empty for activations. */
  parameters(value: Value): readonly Parameter[] {
    return this.#parameters.get(value) ?? [];
  }

  parametersOf(node: Node): readonly Parameter[] {
    return this.#ofNode.get(node) ?? [];
  }
}

function* parametersOf(node: Node): Iterable<Parameter> {
  const row = rowOf(node);
  const at = (index: number) => {
    const value = node.input(index);
    return value && initializerOf(value)?.size && isFloat(value.initializer!.dtype) ? value : undefined;
  };
  const layer = productAt(node);
  if (row?.linear && layer) {
    const weight = at(row.linear.weight);
    if (weight) yield { node, index: row.linear.weight, value: weight, kind: "weight", layer };
    const bias = row.linear.bias === null ? undefined : at(row.linear.bias);
    if (bias) yield { node, index: row.linear.bias!, value: bias, kind: "bias", layer };
  }
  for (const [i, index] of (row?.normalization ?? []).entries()) {
    const value = at(index);
    if (value) yield { node, index, value, kind: normalizing[i]!, normalization: true };
  }
  if (isRecurrent(node)) {
    for (const [index, kind] of Object.entries(recurrent)) {
      const value = at(Number(index));
      if (value) yield { node, index: Number(index), value, kind };
    }
  }
}

/** One input channel and one output channel per group. */
export function isDepthwise(node: Node, weight: readonly number[]): boolean {
  const groups = node.int("group", 1);
  return node.op === "Conv" && groups > 1 && weight[0] === groups && weight[1] === 1;
}
