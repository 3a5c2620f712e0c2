/** The functions inside recurrent and fused operators, by name, with their slopes. */
import { invariant, isRefused, type Refused } from "../../../base/inner.ts";
import { activationsOf } from "../../../facts/inner.ts";
import type { Node, Value } from "../../../ir/inner.ts";
import type { Emitter } from "../../emitter.ts";
import {
  between,
  eluSlope,
  hardSigmoidSlope,
  leakySlope,
  sigmoidSlope,
  softsignSlope,
  tanhSlope,
} from "../elementwise/slopes.ts";

export interface GateFunction {
  readonly value: (e: Emitter, x: Value) => Value;
  /** The slope at x, where y is the value. */
  readonly slope: (e: Emitter, x: Value, y: Value) => Value;
}

const one = (op: string) => (e: Emitter, x: Value) => e.op(op, [x]);
const affine = (e: Emitter, x: Value, a: number, b: number) => e.add(e.mul(x, a), e.scalar(b));
const float = (value: number) => ({ type: "float", value }) as const;

/** By name in lower case: the numbers that each takes when none are given, and what it is. */
const functions: Readonly<
  Record<string, { readonly defaults: readonly number[]; readonly of: (a: number, b: number) => GateFunction }>
> = {
  sigmoid: {
    defaults: [],
    of: () => ({ value: one("Sigmoid"), slope: (e, _, y) => sigmoidSlope(e, y) }),
  },
  tanh: { defaults: [], of: () => ({ value: one("Tanh"), slope: (e, _, y) => tanhSlope(e, y) }) },
  relu: { defaults: [], of: () => ({ value: one("Relu"), slope: (e, x) => e.step(x) }) },
  softsign: {
    defaults: [],
    of: () => ({ value: one("Softsign"), slope: (e, _, y) => softsignSlope(e, y) }),
  },
  softplus: { defaults: [], of: () => ({ value: one("Softplus"), slope: (e, x) => e.op("Sigmoid", [x]) }) },
  affine: {
    defaults: [1, 0],
    of: (a, b) => ({
      value: (e, x) => affine(e, x, a, b),
      slope: (e, x) => e.op("Expand", [e.scalar(a), e.op("Shape", [x])]),
    }),
  },
  leakyrelu: {
    defaults: [0.01],
    of: (a) => ({
      value: (e, x) => e.op("LeakyRelu", [x], { alpha: float(a) }),
      slope: (e, x) => leakySlope(e, x, a),
    }),
  },
  thresholdedrelu: {
    defaults: [1],
    of: (a) => ({
      value: (e, x) => e.op("ThresholdedRelu", [x], { alpha: float(a) }),
      slope: (e, x) => e.step(e.sub(x, e.scalar(a))),
    }),
  },
  scaledtanh: {
    defaults: [1, 1],
    of: (a, b) => ({
      value: (e, x) => e.mul(e.op("Tanh", [e.mul(x, b)]), a),
      slope: (e, _, y) => affine(e, e.square(y), a === 0 ? 0 : -b / a, a * b),
    }),
  },
  hardsigmoid: {
    defaults: [0.2, 0.5],
    of: (a, b) => ({
      value: (e, x) => e.op("HardSigmoid", [x], { alpha: float(a), beta: float(b) }),
      slope: (e, _, y) => hardSigmoidSlope(e, y, a),
    }),
  },
  elu: {
    defaults: [1],
    of: (a) => ({
      value: (e, x) => e.op("Elu", [x], { alpha: float(a) }),
      slope: (e, x) => eluSlope(e, x, a),
    }),
  },
  clip: {
    defaults: [0, 6],
    of: (a, b) => ({
      value: (e, x) => e.op("Clip", [x, e.scalar(a), e.scalar(b)]),
      slope: (e, _, y) => between(e, y, a, b),
    }),
  },
};

/** The function of this name with its numbers, or null for a name that is not known. */
export function gateFunction(name: string, numbers: readonly number[] = []): GateFunction | null {
  const found = functions[name.toLowerCase()];
  if (!found) return null;
  const [a = 1, b = 0] = found.defaults.map((value, i) => numbers[i] ?? value);
  return found.of(a, b);
}

/** The functions of each direction of a recurrent node, or why they are not known. */
export function gateFunctionsOf(node: Node): readonly (readonly GateFunction[])[] | Refused {
  const found = activationsOf(node);
  if (isRefused(found)) return found;
  return found.map((direction) =>
    direction.map(({ name, alpha, beta }) => {
      const made = gateFunction(
        name,
        [alpha, beta].filter((number) => number !== undefined),
      );
      invariant(made, `${name} has a slope`);
      return made;
    }),
  );
}
