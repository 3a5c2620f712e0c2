/** Lengths of what operators make from numbers that they are given. */
import type { Node } from "../../ir/inner.ts";
import { constantOf } from "../constants.ts";
import type { KnownLengths, Length, Made } from "./length.ts";

export function range(node: Node, known: KnownLengths): Made {
  const [start, end, step] = [0, 1, 2].map((i) => numberAt(node, i, known));
  if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number") return [undefined];
  return [Math.max(0, Math.ceil((end - start) / step))];
}

export function window(node: Node, known: KnownLengths): Made {
  return [numberAt(node, 0, known)];
}

export function melWeights(node: Node, known: KnownLengths): Made {
  const [bins, length] = [0, 1].map((i) => numberAt(node, i, known));
  return [typeof length === "number" ? Math.floor(length / 2) + 1 : undefined, bins];
}

export function affineGrid(node: Node, known: KnownLengths): Made {
  const size = known.elements(node.input(1))?.elements;
  return size && [size[0], ...size.slice(2), size.length - 2];
}

/** One number that an input holds: of a constant of any type, or computed from lengths. */
function numberAt(node: Node, index: number, known: KnownLengths): Length | undefined {
  const constant = constantOf(node.input(index));
  if (!constant) return known.elements(node.input(index))?.elements[0];
  return constant.size === 1 && constant.dtype !== "string" ? constant.numbers()[0] : undefined;
}
