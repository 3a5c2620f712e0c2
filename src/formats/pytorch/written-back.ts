/** The inverse of views: what a tensor becomes when a part of it was written into. */
import type { Argument, ProgramNode, ValueMeta } from "./program.ts";

/** Views whose elements lie as in their source, so that its shape alone brings them back. */
const reshapes = /^aten\.(view|unsqueeze|squeeze|alias|detach|_unsafe_view|view_as)\./;

/** A node that makes all of `whole` of the part that this view is; undefined where a view has no inverse here. */
export function writtenBack(
  view: ProgramNode,
  part: string,
  whole: string,
  type: ValueMeta | undefined,
): ProgramNode | undefined {
  const tensor = (name: string): Argument => ({ tag: "as_tensor", value: { name } });
  const node = (target: string, inputs: readonly (readonly [string, Argument])[]): ProgramNode => ({
    ...view,
    target: `aten.${target}`,
    inputs: new Map(inputs),
    outputs: [tensor(whole)],
  });
  const rest = [...view.inputs].filter(([name]) => name !== "self");
  const [, kind] = view.target.split(".");
  if (kind === "slice" || kind === "select") {
    return node(`${kind}_scatter.default`, [["self", tensor(whole)], ["src", tensor(part)], ...rest]);
  }
  if (kind === "transpose" || kind === "t") return node(`${kind}.default`, [["self", tensor(part)], ...rest]);
  if (!reshapes.test(view.target) || !type?.shape.every((length) => typeof length === "number")) return undefined;
  return node("view.default", [
    ["self", tensor(part)],
    ["size", { tag: "as_ints", value: type.shape }],
  ]);
}
