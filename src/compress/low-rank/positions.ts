/** How many positions a layer computes in one run: what its cost is multiplied with. */
import { type MatrixLayer, shapeOf } from "../../facts/inner.ts";
import type { TensorType } from "../../ir/inner.ts";
import type { Positions } from "./form.ts";

/** Undefined where a shape is not known. The samples of one run count: batches of one are what costs are told for. */
export function positionsOf(layer: MatrixLayer, shapes: ReadonlyMap<string, TensorType>): Positions | undefined {
  const [x, y] = [shapeOf(layer.node.input(0), shapes), shapeOf(layer.node.output, shapes)];
  if (!x || !y) return undefined;
  if (layer.node.op.startsWith("Conv")) return { input: x.slice(2), output: y.slice(2) };
  return { input: x.slice(0, -1), output: y.slice(0, -1) };
}
