/**
 * What needs all digits of float32, whatever its range: numbers that become integers (lengths, positions), and angles: of 300 radians half
 * precision knows a quarter. That is so for the arithmetic that leads to them, too.
 */
import { initializerOf, movesData } from "../../facts/inner.ts";
import type { Graph, Node } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { dtypes } from "../../tensor/inner.ts";

/** The operators of a graph that stay in float32 for that, each with the reason. */
export function exactNodes(graph: Graph): Map<Node, string> {
  const found = new Map<Node, string>();
  for (const node of graph.nodes) {
    if (node.domain !== "") continue;
    if (node.op === "Sin" || node.op === "Cos") collect(node, "angles need more digits than half precision has", found);
    if (node.op === "Cast" && makesIntegers(node)) collect(node, "it leads to an integer", found);
  }
  return found;
}

function collect(node: Node, reason: string, found: Map<Node, string>): void {
  const open = [node];
  for (let next = open.pop(); next; next = open.pop()) {
    if (found.has(next)) continue;
    found.set(next, reason);
    for (const input of next.inputs) {
      const producer = input?.producer;
      if (producer && isArithmetic(producer)) open.push(producer);
    }
  }
}

function makesIntegers(node: Node): boolean {
  return Object.values(dtypes).some(
    ({ onnx, kind }) => onnx === node.int("to", 0) && (kind === "int" || kind === "uint"),
  );
}

/** Elementwise operators, movement, and outer products; not the layers of a network. */
function isArithmetic(node: Node): boolean {
  if (node.domain !== "") return false;
  if (rowOf(node)?.elementwise || movesData(node)) return true;
  if (node.op === "Concat") return true;
  if (node.op !== "MatMul") return false;
  const [a, b] = [node.input(0), node.input(1)].map((value) => initializerOf(value)?.shape);
  return a || b ? a?.at(-1) === 1 || b?.at(-2) === 1 : true;
}
