/** The table of operators of exported programs: one row each, whatever its overload; in-place forms are those of the operator itself. */
import type { Row } from "./call.ts";
import { activations } from "./operators/activations.ts";
import { boxes } from "./operators/boxes.ts";
import { creation } from "./operators/creation.ts";
import { elementwise } from "./operators/elementwise.ts";
import { indexing } from "./operators/indexing.ts";
import { linearRows } from "./operators/linear.ts";
import { normalization } from "./operators/normalization.ts";
import { recurrents } from "./operators/recurrent.ts";
import { reductions } from "./operators/reductions.ts";
import { symbols } from "./operators/symbols.ts";
import { views } from "./operators/views.ts";
import { windows } from "./operators/windows.ts";

/** Families of ATen, in the order of docs/pytorch.md. */
export const families: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  "convolutions, products, attention": linearRows,
  normalizations: normalization,
  activations,
  "pooling, padding, resampling": windows,
  recurrent: recurrents,
  "element by element": elementwise,
  "reductions, sorting": reductions,
  "views, cutting, joining": views,
  "lookups and writes": indexing,
  creation,
  "boxes, of torchvision": boxes,
};

const rows: ReadonlyMap<string, Row> = new Map(
  Object.values(families).flatMap((family) => (family === boxes ? [] : Object.entries(family))),
);

/** The row of "aten.add_.Tensor". */
export function rowOf(target: string): Row | undefined {
  const [space, name = ""] = target.split(".");
  const symbol = `${space}.${name}`;
  if (Object.hasOwn(symbols, symbol)) return symbols[symbol];
  if (space === "torchvision") return Object.hasOwn(boxes, name) ? boxes[name] : undefined;
  if (space !== "aten") return undefined;
  const isInPlace = name.endsWith("_") && !name.endsWith("__");
  return rows.get(name) ?? (isInPlace ? rows.get(name.slice(0, -1)) : undefined);
}
