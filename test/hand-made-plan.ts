/** Plans that are written by hand, and what lowering makes of them, as text. */
import { type Model, type Node, parseModel } from "../src/ir/inner.ts";
import {
  type Encoding,
  type Granularity,
  type IntGrid,
  lower,
  type Plan,
  type PlanEntry,
  parseGrid,
} from "../src/quant/inner.ts";

export const tensor: Granularity = { kind: "tensor" };

/** An entry on a grid, with a scale of a half and the offset in the middle, if nothing else is said. */
export function entry(value: string, kind: PlanEntry["kind"], grid: string, more: Partial<Encoding> = {}): PlanEntry {
  const parsed = parseGrid(grid);
  const { granularity = tensor, symmetric = true } = more;
  const base = { value, kind, grid: parsed, granularity, symmetric, reason: "" };
  if (parsed.kind === "float") return base;
  const offset = [-(2 ** (parsed.bits - 1))];
  return { ...base, encoding: { grid: parsed as IntGrid, granularity, symmetric, scale: [0.5], offset, ...more } };
}
export const planOf = (...entries: PlanEntry[]): Plan => ({ version: 1, target: "none", entries, notQuantized: [] });
export const parse = (text: string, opset = 21) =>
  parseModel(`<ir_version: 8, opset_import: ["": ${opset}]> ${text}`, { seed: 1 });
export const lowered = (model: Model, ...entries: PlanEntry[]) => lower(model, planOf(...entries)).model;
export const nodesOf = (model: Model) => [...model.graph.nodes];
/** "w_int8 = Cast(w_quantized)" for each node of a file. */
export const linesOf = (model: Model) =>
  nodesOf(model).map((node) => `${node.output.name} = ${node.op}(${node.inputs.map((v) => v?.name ?? "").join(", ")})`);
export const named = (model: Model, name: string) => model.graph.valuesByName().get(name);
export const typeOf = (model: Model, name: string) => {
  const type = named(model, name)!.type;
  return type?.kind === "tensor" ? `${type.dtype}[${type.shape}]` : undefined;
};
export const attributesOf = (node: Node) =>
  Object.fromEntries([...node.attributes].map(([name, { value }]) => [name, value]));
