/** The standard attention operators. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { attentionGradients, causalBias, intoHeads, outOfHeads, shut } from "../linear/dot-products.ts";

/** Attention of opset 23 and 24: 3-D or 4-D inputs, masks, a past, groups of queries. */
function dotProducts(b: Backward): InputGradients {
  const { node } = b;
  if (node.input(6)) throw b.refusal("its nonpad_kv_seqlen has no rule; give the same as a mask");
  if (b.gradient(3)) throw b.refusal("something depends on its inner product, which has no rule of its own");
  const flat = b.shapeOf(0).length === 3;
  const count = (name: string, index: number) => (flat ? node.int(name, 1) : b.shapeOf(index)[1]!);
  const [heads, keyHeads] = [count("q_num_heads", 0), count("kv_num_heads", 1)];
  const samples = b.shapeOf(0)[0]!;
  const length = (index: number) => b.shapeOf(index)[flat ? 1 : 2]!;
  const width = (index: number, n: number) => (flat ? b.shapeOf(index)[2]! / n : b.shapeOf(index)[3]!);
  const [queries, fresh] = [length(0), length(1)];
  const [size, valueSize] = [width(0, heads), width(2, keyHeads)];
  const past = node.input(4) ? b.shapeOf(4)[2]! : 0;
  const keys = past + fresh;
  const layouts = [
    [samples, queries, heads, size],
    [samples, fresh, keyHeads, size],
    [samples, fresh, keyHeads, valueSize],
  ] as const;
  const split = (value: Value, i: number) => (flat ? intoHeads(b, value, layouts[i]!) : value);
  const joined = (value: Value, i: number) => (flat ? outOfHeads(b, value, layouts[i]!) : value);
  const all = (index: number, before: number) => {
    const now = split(b.input(index), index);
    return node.input(before) ? b.concat([b.input(before), now], 2) : now;
  };
  const dy = b.gradient(0) ?? b.filled(b.outShape, 0);
  const found = attentionGradients(
    b,
    { q: split(b.input(0), 0), k: all(1, 4), v: all(2, 5), bias: biasOf(b, queries, keys, past) },
    flat ? intoHeads(b, dy, [samples, queries, heads, valueSize]) : dy,
    {
      samples,
      heads,
      keyHeads,
      queries,
      keys,
      size,
      valueSize,
      scale: node.float("scale", 1 / Math.sqrt(size)),
      softcap: node.float("softcap", 0),
    },
  );
  const [k, v] = [withPresent(b, found.k, 1), withPresent(b, found.v, 2)];
  const part = (value: Value, from: number, to: number) => (past === 0 ? value : b.slice(value, [2], [from], [to]));
  return [
    joined(found.q, 0),
    joined(part(k, past, keys), 1),
    joined(part(v, past, keys), 2),
    b.wants(3) ? b.unbroadcast(found.scores, [samples, heads, queries, keys], b.shapeOf(3)) : null,
    b.wants(4) ? part(k, 0, past) : null,
    b.wants(5) ? part(v, 0, past) : null,
  ];
}

/** Past and new keys (or values) are an output of their own. */
function withPresent(b: Backward, gradient: Value, output: number): Value {
  const arrived = b.gradient(output);
  return arrived ? b.add(gradient, arrived) : gradient;
}

/** Mask and causality as one value that is added to the scores. */
function biasOf(b: Backward, queries: number, keys: number, past: number): Value | null {
  const mask = b.node.input(3);
  const isBool = mask && b.types.get(mask.name)?.dtype === "bool";
  const given = mask && isBool ? b.mul(b.sub(b.scalar(1), b.asFloat(mask)), shut) : mask;
  const causal = b.node.int("is_causal", 0) !== 0 ? causalBias(b, queries, keys, past) : null;
  return given && causal ? b.add(given, causal) : (given ?? causal);
}

/** A rotation turns the gradient back: the same operator with the sines' sign changed. */
export function rotaryEmbedding(b: Backward, cos: number, sin: number): InputGradients {
  if (b.wants(cos) || b.wants(sin)) throw b.refusal("its tables of cosines and sines are no weights");
  const { node } = b;
  const inputs = node.inputs.map((value, index) => (index === 0 ? b.dy : index === sin ? b.neg(value!) : value));
  return [b.op(node.op, inputs, Object.fromEntries(node.attributes), { domain: node.domain })];
}

export const attention = {
  Attention: dotProducts,
  RotaryEmbedding: (b) => rotaryEmbedding(b, 1, 2),
} satisfies Record<string, GradientRow>;
