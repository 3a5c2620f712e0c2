/**
 * A step of a GRU, found at its new state, which is between the old one and a candidate:  h' = (1 − z)·n + z·h, or with u = 1 − z
 * h' = (1 − u)·h + u·n;  n = act(W·x + r·(R·h + b)), or act(W·x + R·(r·h) + b). Cho et al. (2014).
 */
import { constantNumbers, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { affineOf } from "./affine.ts";
import { type Gate, gateAt, nodesOf, pairsOf, type Reset, type Step, sameFunction } from "./step.ts";

/** A value between two others: at 1 of the gate `to`, at 0 `from`. */
interface Between {
  readonly gate: Value;
  readonly to: Value;
  readonly from: Value;
  readonly nodes: readonly Node[];
}

/** The step whose state this node computes; else nothing. */
export function gruAt(node: Node, lengths: LengthTable): Step | undefined {
  for (const { gate, to, from, nodes } of betweens(node)) {
    const z = gateAt(gate, lengths);
    if (!z || z.sum.rest.length > 0) continue;
    for (const turned of [false, true]) {
      const [h, fresh] = turned ? [from, to] : [to, from];
      const n = gateAt(fresh, lengths);
      // Only of a sigmoid 1 − z is the same function with the sign of its sum changed.
      if (!n || (turned && z.activate.name !== "Sigmoid")) continue;
      const found = resetOf(n, h, lengths);
      if (!found || !sameFunction(found.r.activate, z.activate) || found.r.sum.rest.length > 0) continue;
      const gates = [z, found.r, n];
      if (gates.some(({ sum }) => sum.outputs !== z.sum.outputs)) continue;
      return {
        op: "GRU",
        hidden: z.sum.outputs,
        gates,
        functions: [z.activate, n.activate],
        reset: found.reset,
        turned,
        before: { h },
        after: { h: node.output },
        nodes: new Set([...nodesOf(gates), ...found.nodes, ...nodes, node]),
      };
    }
  }
  return undefined;
}

function* betweens(node: Node): Iterable<Between> {
  for (const [a, b] of pairsOf(node.output, "Add")) {
    // from + gate · (to − from)
    for (const [gate, difference] of pairsOf(b, "Mul")) {
      const sub = difference.producer;
      if (isOp(sub, "Sub") && sub.input(1) === a) yield { gate, to: sub.input(0)!, from: a, nodes: [b.producer!, sub] };
    }
    // gate · to + (1 − gate) · from
    for (const [gate, to] of pairsOf(a, "Mul"))
      for (const [rest, from] of pairsOf(b, "Mul")) {
        const sub = rest.producer;
        if (isOp(sub, "Sub") && sub.input(1) === gate && isOne(sub.input(0)))
          yield { gate, to, from, nodes: [a.producer!, b.producer!, sub] };
      }
  }
}

function isOne(value: Value | null): boolean {
  const numbers = constantNumbers(value);
  return numbers !== undefined && numbers.length > 0 && numbers.every((number) => number === 1);
}

/** The reset gate in front of the candidate, and what it acts on. */
function resetOf(
  n: Gate,
  h: Value,
  lengths: LengthTable,
): { readonly r: Gate; readonly reset: Reset; readonly nodes: readonly Node[] } | undefined {
  const { terms, rest } = n.sum;
  if (rest.length === 1) {
    for (const [gate, product] of pairsOf(rest[0]!, "Mul")) {
      const r = gateAt(gate, lengths);
      const sum = r && affineOf(product, lengths);
      const isOfState = sum && sum.rest.length === 0 && sum.outputs === n.sum.outputs;
      if (isOfState) return { r, reset: { product: sum }, nodes: [...nodesOf([r]), ...sum.nodes, rest[0]!.producer!] };
    }
    return undefined;
  }
  if (rest.length > 0) return undefined;
  for (const { source } of terms) {
    if (source.pick) continue;
    for (const [gate, state] of pairsOf(source.value, "Mul")) {
      const r = state === h ? gateAt(gate, lengths) : undefined;
      if (r) return { r, reset: { state: source.value }, nodes: [source.value.producer!] };
    }
  }
  return undefined;
}
