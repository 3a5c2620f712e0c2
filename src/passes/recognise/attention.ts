/**
 * Attention that exporters took apart: softmax(scale·Q·Kᵀ + mask)·V over [batch, heads, length, size]. The scale may
 * stand on the product, or in two halves on Q and K.
 */

import { refuse } from "../../base/inner.ts";
import { isOp, type Lengths, type LengthTable } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { any, type Bindings, constant, either, match, op, opWhere, readElsewhere } from "../pattern.ts";
import { replaceNode } from "../replace-node.ts";
import { type Rule, rule } from "../rule.ts";

const isScalar = (numbers: readonly number[]) => numbers.length === 1;
const q = any("q");
const transposed = opWhere("Transpose", (node) => `${node.ints("perm")}` === "0,1,3,2", any("k"));
const scores = either(
  op("Div", op("MatMul", q, transposed), constant("divisor", isScalar)),
  op("Mul", op("MatMul", q, transposed), constant("factor", isScalar)),
  op("MatMul", op("Mul", q, constant("factor", isScalar)), op("Mul", transposed, constant("second", isScalar))),
  op("MatMul", op("Mul", q, constant("factor", isScalar)), transposed),
  op("MatMul", op("Div", q, constant("divisor", isScalar)), transposed),
  op("MatMul", q, transposed),
);
const last = (node: Node) => [-1, 3].includes(node.int("axis", -1));
const attention = op("MatMul", opWhere("Softmax", last, either(op("Add", scores, any("mask")), scores)), any("v"));

interface Found {
  readonly node: Node;
  readonly bound: Bindings;
  readonly q: Lengths | undefined;
  readonly k: Lengths | undefined;
  readonly v: Lengths | undefined;
  readonly mask: Lengths | undefined;
}

/** The rule; the table reports that all are of rank four and that Q, K and V have as many heads. */
export function recogniseAttention(lengths: LengthTable): Rule {
  return rule<Found>({
    name: "recognise-attention",
    match: (node) => {
      const bound = isOp(node, "MatMul") ? match(attention, node) : undefined;
      if (!bound) return undefined;
      const of = (name: string) => (bound.has(name) ? lengths.of(bound.value(name)) : undefined);
      return { node, bound, q: of("q"), k: of("k"), v: of("v"), mask: of("mask") };
    },
    check: ({ node, bound, q, k, v, mask }) => {
      const outside = readElsewhere(bound);
      if (outside) return refuse(`${outside.name}, which is inside ${node}, is read elsewhere`);
      if (q?.length !== 4 || k?.length !== 4 || v?.length !== 4) {
        return refuse("its inputs are not known to be [batch, heads, length, size]");
      }
      if (q[1] !== k[1] || q[1] !== v[1]) return refuse("its heads are not known to be as many for Q, K and V");
      const fits = !bound.has("mask") || (mask?.at(-2) === q[2] && mask?.at(-1) === k[2]);
      return fits ? true : refuse("its mask is not known to end in [queries, keys]");
    },
    rewrite: ({ node, bound }, graph) => {
      const number = (name: string) => (bound.has(name) ? bound.constant(name).numbers()[0]! : 1);
      const scale = (number("factor") * number("second")) / number("divisor");
      const inputs = [
        bound.value("q"),
        bound.value("k"),
        bound.value("v"),
        ...(bound.has("mask") ? [bound.value("mask")] : []),
      ];
      replaceNode(node, { op: "Attention", inputs, attributes: { scale: { type: "float", value: scale } } });
      for (const inside of bound.nodes.slice(1)) {
        if (inside.graph && inside.outputs.every((value) => value.useCount === 0)) graph.remove(inside);
      }
    },
  });
}
