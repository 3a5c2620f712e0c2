/**
 * What RNN, GRU and LSTM say of themselves: their gates, which input is what, the functions that their attributes name. Numbers that are
 * not given are those that ONNX Runtime takes, which the standard leaves open.
 */
import { type Refused, refuse } from "../base/inner.ts";
import type { Node } from "../ir/inner.ts";
import { isOp } from "./walk.ts";

const kinds = {
  RNN: { gates: 1, functions: ["Tanh"] },
  GRU: { gates: 3, functions: ["Sigmoid", "Tanh"] },
  LSTM: { gates: 4, functions: ["Sigmoid", "Tanh", "Tanh"] },
} as const;

export type RecurrentOp = keyof typeof kinds;

/** Whether the node is an RNN, GRU or LSTM of the standard. */
export function isRecurrent(node: Node | null | undefined): boolean {
  return isOp(node, "RNN", "GRU", "LSTM");
}

/** Which input of a recurrent operator is what; AIMET's words for the first three are weight, weight_r and bias. */
export const recurrentInputs = { x: 0, w: 1, r: 2, bias: 3, lengths: 4, h: 5, c: 6, peepholes: 7 } as const;

/** Gates of an operator: W is [directions, gates · hidden, inputs], R [directions, gates · hidden, hidden]. */
export function gatesOf(op: string): number {
  return kinds[op as RecurrentOp].gates;
}

/** A function inside a recurrent operator, with its numbers, if it takes any. */
export interface Activation {
  readonly name: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

/** The numbers that a function takes when none are given; null: ONNX Runtime computes zeros without them, so they must be. */
const functions = {
  Affine: [null, 0],
  Elu: [1],
  HardSigmoid: [0.2, 0.5],
  LeakyRelu: [0.01],
  Relu: [],
  ScaledTanh: [null, null],
  Sigmoid: [],
  Softplus: [],
  Softsign: [],
  Tanh: [],
  // The operator of the same name has 1.
  ThresholdedRelu: [0],
} as const satisfies Record<string, readonly (number | null)[]>;

export type ActivationName = keyof typeof functions;

/**
 * The functions of each direction, in the order of the operator's attribute. alpha and beta are taken off their lists by those that use
 * them. Refused: a name that is none of the standard's, too few names, or numbers that are missing.
 */
export function activationsOf(node: Node): readonly (readonly Activation[])[] | Refused {
  const usual = kinds[node.op as RecurrentOp].functions;
  const directions = node.string("direction", "forward") === "bidirectional" ? 2 : 1;
  const attribute = node.attributes.get("activations");
  const names = attribute?.type === "strings" ? attribute.value.map(String) : Array(directions).fill(usual).flat();
  if (names.length !== directions * usual.length)
    return refuse(`it names ${names.length} activations where it has ${directions * usual.length}`);
  const list = (name: string) => {
    const found = node.attributes.get(name);
    return found?.type === "floats" || found?.type === "ints" ? found.value.map(Number) : [];
  };
  const given = [list("activation_alpha"), list("activation_beta")];
  const found: Activation[] = [];
  for (const spelled of names as string[]) {
    const name = Object.keys(functions).find((known) => known.toLowerCase() === spelled.toLowerCase());
    if (!name) return refuse(`"${spelled}" is no activation of the standard`);
    const numbers = functions[name as ActivationName].map((number, i) => given[i]!.shift() ?? number);
    if (numbers.includes(null)) return refuse(`its ${name} has no alpha or beta, for which there are no usual ones`);
    const [alpha, beta] = numbers as number[];
    found.push({
      name: name as ActivationName,
      ...(alpha === undefined ? {} : { alpha }),
      ...(beta === undefined ? {} : { beta }),
    });
  }
  return Array.from({ length: directions }, (_, d) => found.slice(d * usual.length, (d + 1) * usual.length));
}
