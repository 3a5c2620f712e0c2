/** The activations that recurrent layers name in their attributes. */
import type { AttributeLike, Node, Value } from "../../ir/inner.ts";
import type { Writer } from "./step.ts";

/** Applies an activation to a value. */
export type Activate = (x: Value, hint: string) => Value;

/** Names of activations whose alpha and beta are attributes of the operator of the same name. */
const parameters: Readonly<Record<string, readonly ("alpha" | "beta")[]>> = {
  Elu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
  LeakyRelu: ["alpha"],
  Relu: [],
  Sigmoid: [],
  Softplus: [],
  Softsign: [],
  Tanh: [],
  ThresholdedRelu: ["alpha"],
};

/**
 * The activations of one direction, `count` of them, in the order of the operator's attribute; undefined when one has
 * no operator of its own (Affine, ScaledTanh). alpha and beta are taken off their lists by those that use them.
 */
export function activationsOf(
  node: Node,
  writer: Writer,
  defaults: readonly string[],
  direction: number,
): Activate[] | undefined {
  const attribute = node.attributes.get("activations");
  const given = attribute?.type === "strings" ? attribute.value.map(String) : undefined;
  const floats = (name: string) => {
    const found = node.attributes.get(name);
    return found?.type === "floats" ? [...found.value] : [];
  };
  const [alphas, betas] = [floats("activation_alpha"), floats("activation_beta")];
  const names = given ?? defaults;
  const made: Activate[] = [];
  for (const [index, spelled] of names.entries()) {
    const name = Object.keys(parameters).find((known) => known.toLowerCase() === spelled.toLowerCase());
    if (!name) return undefined;
    const attributes: Record<string, AttributeLike> = {};
    for (const parameter of parameters[name]!) {
      const value = (parameter === "alpha" ? alphas : betas).shift();
      if (value !== undefined) attributes[parameter] = { type: "float", value };
    }
    if (given && Math.floor(index / defaults.length) !== direction) continue;
    made.push((x, hint) => writer.op(name, [x], hint, attributes));
  }
  return made.length === defaults.length ? made : undefined;
}
