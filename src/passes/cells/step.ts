/** One step of a recurrent layer that is written out: what goes into its gates, and the states before and after it. */
import { type ActivationName, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { type Affine, affineOf } from "./affine.ts";

/** A function of a gate, as an operator of the standard takes it. */
export interface GateFunction {
  readonly name: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

/** What goes into a gate, and the function that it goes through. */
export interface Gate {
  readonly sum: Affine;
  readonly activate: GateFunction;
  readonly node: Node;
}

export interface Step {
  readonly op: "LSTM" | "GRU" | "RNN";
  readonly hidden: number;
  /** In the order of the operator: i, o, f, c; z, r, h; or the one of RNN. */
  readonly gates: readonly Gate[];
  /** The functions of the operator, in its order. */
  readonly functions: readonly GateFunction[];
  /** LSTM: p of i, o and f, constants of [hidden]. */
  readonly peepholes?: readonly (Value | undefined)[] | undefined;
  /** GRU: how the reset gate acts. */
  readonly reset?: Reset | undefined;
  /** GRU: its z is 1 − that of the standard. */
  readonly turned?: boolean | undefined;
  /** The states before, as the step itself names them. RNN and LSTM name no h: one of the sources of the sums is it. */
  readonly before: { readonly h?: Value | undefined; readonly c?: Value | undefined };
  readonly after: { readonly h: Value; readonly c?: Value | undefined };
  /** The nodes between the sources of the sums and the states after. */
  readonly nodes: ReadonlySet<Node>;
}

/** In front of a product with the state and its bias, or in front of the state that a product reads. */
export type Reset = { readonly product: Affine } | { readonly state: Value };

/** Functions that exporters write as one operator, with the numbers that it has when none are given. */
const functions: Readonly<Record<string, Pick<GateFunction, "alpha" | "beta">>> = {
  Sigmoid: {},
  Tanh: {},
  Relu: {},
  Softsign: {},
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  LeakyRelu: { alpha: 0.01 },
};

export function functionOf(node: Node | null | undefined): GateFunction | undefined {
  if (!node || !isOp(node, ...Object.keys(functions))) return undefined;
  const usual = functions[node.op]!;
  const numbers = Object.entries(usual).map(([name, number]) => [name, node.float(name, number)]);
  return { name: node.op as ActivationName, ...Object.fromEntries(numbers) };
}

export function sameFunction(a: GateFunction, b: GateFunction): boolean {
  return a.name === b.name && a.alpha === b.alpha && a.beta === b.beta;
}

/** The gate whose output a value is; nothing where it is none. */
export function gateAt(value: Value, lengths: LengthTable): Gate | undefined {
  const node = value.producer;
  const activate = functionOf(node);
  if (!node || !activate || lengths.of(value)?.length !== 2) return undefined;
  const sum = affineOf(node.input(0)!, lengths);
  return sum && { sum, activate, node };
}

/** The two inputs of a node of this kind in either order; nothing where it is another one. */
export function pairsOf(value: Value, op: "Add" | "Mul"): readonly (readonly [Value, Value])[] {
  const node = value.producer;
  if (!isOp(node, op)) return [];
  const [a, b] = node.inputs as [Value, Value];
  return [
    [a, b],
    [b, a],
  ];
}

/** The nodes of gates: the functions, and the sums in front of them. */
export function nodesOf(gates: readonly Gate[]): Node[] {
  return gates.flatMap(({ node, sum }) => [node, ...sum.nodes]);
}
