/**
 * A step of an LSTM, found at the sum that is its cell:  c' = f·c + i·g,  h' = o·act(c').  Peepholes p·c stand in front of i and f,
 * p·c' in front of o. Hochreiter and Schmidhuber (1997), Gers et al. (2000).
 */
import { floatConstant, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { functionOf, type Gate, type GateFunction, gateAt, nodesOf, pairsOf, type Step, sameFunction } from "./step.ts";

/** The step whose cell this node computes; else nothing. */
export function lstmAt(node: Node, lengths: LengthTable): Step | undefined {
  const cell = node.output;
  for (const [kept, written] of pairsOf(cell, "Add"))
    for (const [forget, c] of pairsOf(kept, "Mul")) {
      const f = gateAt(forget, lengths);
      if (!f) continue;
      for (const [input, candidate] of pairsOf(written, "Mul")) {
        const [i, g] = [gateAt(input, lengths), gateAt(candidate, lengths)];
        const hidden = i && g && sameFunction(i.activate, f.activate) && hiddenOf(cell, f, lengths);
        const step = hidden && stepOf(cell, { i, o: hidden.o, f, g }, c, hidden);
        if (step) {
          const between = [node, kept.producer!, written.producer!];
          return { ...step, nodes: new Set([...step.nodes, ...between]) };
        }
      }
    }
  return undefined;
}

interface Hidden {
  readonly h: Value;
  readonly o: Gate;
  readonly act: Node;
  readonly last: GateFunction;
}

/** The product of a gate with a function of the cell. */
function hiddenOf(cell: Value, f: Gate, lengths: LengthTable): Hidden | undefined {
  for (const act of cell.consumers()) {
    const last = functionOf(act);
    if (!last) continue;
    for (const product of act.output.consumers())
      for (const [gate, other] of pairsOf(product.output, "Mul")) {
        const o = other === act.output ? gateAt(gate, lengths) : undefined;
        if (o && sameFunction(o.activate, f.activate)) return { h: product.output, o, act, last };
      }
  }
  return undefined;
}

function stepOf(
  cell: Value,
  { i, o, f, g }: Readonly<Record<"i" | "o" | "f" | "g", Gate>>,
  c: Value,
  { h, act, last }: Hidden,
): Step | undefined {
  const gates = [i, o, f, g];
  const hidden = i.sum.outputs;
  const looks = [peephole(i, c), peephole(o, cell), peephole(f, c)];
  if (gates.some(({ sum }) => sum.outputs !== hidden) || looks.includes(null) || g.sum.rest.length > 0)
    return undefined;
  const peepholes = looks.map((look) => look?.weight);
  return {
    op: "LSTM",
    hidden,
    gates,
    functions: [f.activate, g.activate, last],
    peepholes: peepholes.some(Boolean) ? peepholes : undefined,
    before: { c },
    after: { h, c: cell },
    nodes: new Set([...nodesOf(gates), ...looks.flatMap((look) => look?.node ?? []), act, h.producer!]),
  };
}

/** The product of the cell with a constant in front of a gate; nothing where there is none; null: something else stands there. */
function peephole({ sum }: Gate, cell: Value): { readonly weight: Value; readonly node: Node } | undefined | null {
  if (sum.rest.length === 0) return undefined;
  const [only, ...more] = sum.rest;
  const pair = more.length > 0 ? undefined : pairsOf(only!, "Mul").find(([, other]) => other === cell);
  return pair && floatConstant(pair[0])?.size === sum.outputs ? { weight: pair[0], node: only!.producer! } : null;
}
