/** What placement needs to know of a model: element types, shapes, which values are parameters and which are moved. */
import type { Model, Node, TensorType, Value } from "../ir/index.ts";
import { addedBy, type LinearRole, rowOf } from "../ops/index.ts";
import { isFloat, type Tensor } from "../tensor/index.ts";

/** A constant that an operator owns: a weight, a bias, a statistic. */
export interface Parameter {
  readonly node: Node;
  readonly index: number;
  readonly value: Value;
  /** AIMET's name of it: weight, bias, weight_r, running_mean, running_var. */
  readonly kind: string;
  /** For the weight and the bias of a linear operator. */
  readonly linear?: LinearRole;
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
    if (value.initializer) return value.initializer.shape;
    const type = this.#shapes.get(value.name) ?? value.type;
    if (type?.kind !== "tensor" || !type.shape?.every((d) => typeof d === "number")) return undefined;
    return type.shape as readonly number[];
  }

  /** The places where the value is a parameter; empty for activations. */
  parameters(value: Value): readonly Parameter[] {
    return this.#parameters.get(value) ?? [];
  }

  parametersOf(node: Node): readonly Parameter[] {
    return this.#ofNode.get(node) ?? [];
  }
}

/** The data of a constant, or undefined for what is computed or fed. */
export function constantOf(value: Value | null | undefined): Tensor | undefined {
  return value && !value.isGraphInput ? value.initializer : undefined;
}

function* parametersOf(node: Node): Iterable<Parameter> {
  const row = rowOf(node);
  const at = (index: number) => {
    const value = node.input(index);
    return value && constantOf(value)?.size && isFloat(value.initializer!.dtype) ? value : undefined;
  };
  if (row?.linear) {
    const weight = at(row.linear.weight);
    if (weight) yield { node, index: row.linear.weight, value: weight, kind: "weight", linear: row.linear };
    const bias = row.linear.bias === null ? undefined : at(row.linear.bias);
    if (bias) yield { node, index: row.linear.bias!, value: bias, kind: "bias", linear: row.linear };
  }
  for (const [i, index] of (row?.normalization ?? []).entries()) {
    const value = at(index);
    if (value) yield { node, index, value, kind: normalizing[i]!, normalization: true };
  }
  if (node.domain === "" && ["LSTM", "GRU", "RNN"].includes(node.op)) {
    for (const [index, kind] of Object.entries(recurrent)) {
      const value = at(Number(index));
      if (value) yield { node, index: Number(index), value, kind };
    }
  }
}

/** Whether the node passes its first input on unchanged, element by element. */
export function movesData(node: Node): boolean {
  return rowOf(node)?.movesData === true;
}

/** What grids of integers hold together: an operator that moves data and adds nothing but zeros, which every grid has. */
export function keepsGrid(node: Node): boolean {
  return movesData(node) && addsOnlyZero(node);
}

/** Whether what the node adds to what it moves (ops/added.ts) is on the grid of its input, whatever that is. */
export function addsOnlyZero(node: Node): boolean {
  const added = addedBy(node);
  return added !== "anything" && added.every((number) => number === 0 || (isLowest(number) && feedsMaxima(node)));
}

/** Beyond that, a number that is filled in is a mask: a grid that holds it holds nothing else. Attention masks begin at −10,000. */
const maskMagnitude = 1e4;

/** The number that stands for no number (−∞, −65,504 …) which the node fills in, if it does. */
export function maskOf(node: Node): number | undefined {
  const added = movesData(node) ? addedBy(node) : "anything";
  return added === "anything" ? undefined : added.find((number) => !(Math.abs(number) < maskMagnitude));
}

/** What stands for −∞ in front of a maximum may as well be the lowest number of the grid: it is never chosen. */
function isLowest(number: number): boolean {
  return number <= -1e30;
}

function feedsMaxima({ output }: Node): boolean {
  const readers = output.consumers();
  return !output.isGraphOutput && readers.length > 0 && readers.every((reader) => reader.op === "MaxPool");
}

/** Resize by nearest neighbours picks elements, as a data movement does. */
export function isNearestResize(node: Node): boolean {
  return (
    node.domain === "" &&
    (node.op === "Resize" || node.op === "Upsample") &&
    node.string("mode", "nearest") === "nearest"
  );
}

/** The constant bounds of a Clip (attributes before opset 11); undefined where they are computed. */
export function clipBounds(node: Node): { min: number; max: number } | undefined {
  const bound = (index: number, name: string, fallback: number): number | undefined => {
    const value = node.input(index);
    if (!value) return node.float(name, fallback);
    return constantOf(value)?.numbers()[0];
  };
  const [min, max] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)];
  return min === undefined || max === undefined ? undefined : { min, max };
}

/** The one node that reads the value, if it is read once and no graph output. */
export function soleReader(value: Value): Node | undefined {
  if (value.useCount !== 1) return undefined;
  const [use] = value.uses();
  return use && "node" in use ? use.node : undefined;
}

/** One input channel and one output channel per group. */
export function isDepthwise(node: Node, weight: readonly number[]): boolean {
  const groups = node.int("group", 1);
  return node.op === "Conv" && groups > 1 && weight[0] === groups && weight[1] === 1;
}
