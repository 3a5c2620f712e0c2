/** The activations that recurrent layers name in their attributes, as operators. */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { type Activation, type ActivationName, activationsOf } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Writer } from "./step.ts";

/** Applies an activation to a value. */
export type Activate = (x: Value, hint: string) => Value;

/** Those without an operator of the same name. */
const composed: Partial<Record<ActivationName, (writer: Writer, one: Activation) => Activate>> = {
  Affine:
    (w, { alpha, beta }) =>
    (x, hint) =>
      w.op("Add", [w.op("Mul", [x, w.float(alpha!)], `${hint}_scaled`), w.float(beta!)], hint),
  ScaledTanh:
    (w, { alpha, beta }) =>
    (x, hint) => {
      const inner = w.op("Tanh", [w.op("Mul", [x, w.float(beta!)], `${hint}_scaled`)], `${hint}_tanh`);
      return w.op("Mul", [inner, w.float(alpha!)], hint);
    },
};

/** The activations of one direction, in the order of the operator's attribute, or why they cannot be written out. */
export function activatorsOf(node: Node, writer: Writer, direction: number): readonly Activate[] | Refused {
  const found = activationsOf(node);
  if (isRefused(found)) return found;
  const own = found[direction];
  return own ? own.map((one) => activatorOf(one, writer)) : refuse("it has no such direction");
}

function activatorOf(one: Activation, writer: Writer): Activate {
  const made = composed[one.name]?.(writer, one);
  if (made) return made;
  const attributes = Object.fromEntries(
    (["alpha", "beta"] as const).flatMap((name) => {
      const value = one[name];
      return value === undefined ? [] : [[name, { type: "float", value } as const]];
    }),
  );
  return (x, hint) => writer.op(one.name, [x], hint, attributes);
}
