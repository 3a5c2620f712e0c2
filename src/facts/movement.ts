/** Operators that pass their first input on, element by element, and what they add to it. */
import type { Node } from "../ir/inner.ts";
import { addedBy, rowOf } from "../ops/inner.ts";
import { isOp } from "./walk.ts";

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
  return isOp(node, "Resize", "Upsample") && node.string("mode", "nearest") === "nearest";
}
