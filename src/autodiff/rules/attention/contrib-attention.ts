/** Attention operators of ONNX Runtime: all are the same scaled dot products behind other layouts. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { attentionGradients, causalBias, intoHeads, outOfHeads } from "../linear/dot-products.ts";

/** Adds up what is added to the scores. */
function sumOf(b: Backward, parts: readonly (Value | null)[]): Value | null {
  return parts.reduce((sum, part) => (sum && part ? b.add(sum, part) : (sum ?? part)), null);
}

/** A padding mask [B, T] of ones and zeros as something to add, [B, 1, 1, T]. */
function paddingBias(b: Backward, index: number): Value | null {
  const mask = b.node.input(index);
  if (!mask) return null;
  const shape = b.shapeOf(index);
  if (shape.length !== 2) throw b.refusal(`its mask of shape [${shape}] has no rule; one of [samples, keys] has`);
  const shutBy = b.node.float("mask_filter_value", -10000);
  const bias = b.mul(b.sub(b.scalar(1), b.asFloat(mask)), shutBy);
  return b.reshape(bias, [shape[0]!, 1, 1, shape[1]!]);
}

function refuseInputs(b: Backward, from: number): void {
  const given = b.node.inputs.findIndex((value, index) => index >= from && value !== null);
  if (given >= 0) throw b.refusal(`its input ${given} is a cache of generated text, which has no rule`);
}

/** MultiHeadAttention with query, key and value of three axes, a bias, a padding mask and something added to the scores. */
export function multiHeadAttention(b: Backward): InputGradients {
  const { node } = b;
  refuseInputs(b, 6);
  if (!node.input(1) || !node.input(2) || [0, 1, 2].some((index) => b.shapeOf(index).length !== 3)) {
    throw b.refusal("query, key and value are packed in one, which has no rule");
  }
  const heads = node.int("num_heads", 1);
  const [samples = 1, queries = 1, hidden = 1] = b.shapeOf(0);
  const [, keys = 1] = b.shapeOf(1);
  const valueHidden = b.shapeOf(2)[2]!;
  const [size, valueSize] = [hidden / heads, valueHidden / heads];
  const bounds = [0, hidden, 2 * hidden, 2 * hidden + valueHidden];
  const bias = node.input(3);
  const layouts = [
    [samples, queries, heads, size],
    [samples, keys, heads, size],
    [samples, keys, heads, valueSize],
  ] as const;
  const split = (i: number) => {
    const own = bias && b.slice(bias, [0], [bounds[i]!], [bounds[i + 1]!]);
    return intoHeads(b, own ? b.add(b.input(i), own) : b.input(i), layouts[i]!);
  };
  const causal = node.int("unidirectional", 0) !== 0 ? causalBias(b, queries, keys, keys - queries) : null;
  const found = attentionGradients(
    b,
    { q: split(0), k: split(1), v: split(2), bias: sumOf(b, [paddingBias(b, 4), node.input(5), causal]) },
    intoHeads(b, b.dy, [samples, queries, heads, valueSize]),
    { samples, heads, keyHeads: heads, queries, keys, size, valueSize, scale: scaleOf(b, size), softcap: 0 },
  );
  const parts = [found.q, found.k, found.v].map((value, i) => outOfHeads(b, value, layouts[i]!));
  return [
    ...parts,
    b.wants(3)
      ? b.concat(
          parts.map((part) => b.sum(part, [0, 1])),
          0,
        )
      : null,
    null,
    b.wants(5) ? b.unbroadcast(found.scores, [samples, heads, queries, keys], b.shapeOf(5)) : null,
  ];
}

function scaleOf(b: Backward, size: number): number {
  // Zero, like none, stands for 1 / √size.
  return b.node.float("scale", 0) || 1 / Math.sqrt(size);
}

/** Attention that makes query, key and value itself: x [B, S, I] times one weight [I, 3 · H]. */
export function projectedAttention(b: Backward): InputGradients {
  const { node } = b;
  refuseInputs(b, 6);
  if (node.input(4)) throw b.refusal("its past is a cache of generated text, which has no rule");
  if (node.int("do_rotary", 0) !== 0) throw b.refusal("its rotation has no rule");
  const heads = node.int("num_heads", 1);
  const [samples = 1, length = 1, inputs = 1] = b.shapeOf(0);
  const total = b.shapeOf(1)[1]!;
  const sizes = node.ints("qkv_hidden_sizes", [total / 3, total / 3, total / 3]);
  const bias = node.input(2);
  const product = b.matMul(b.input(0), b.input(1));
  const all = b.ops("Split", 3, [bias ? b.add(product, bias) : product, b.ints(sizes)], { axis: 2 });
  const layouts = sizes.map((size) => [samples, length, heads, size / heads]);
  const [q, k, v] = all.map((value, i) => intoHeads(b, value, layouts[i]!));
  const causal = node.int("unidirectional", 0) !== 0 ? causalBias(b, length, length, 0) : null;
  const [size, valueSize] = [sizes[0]! / heads, sizes[2]! / heads];
  const found = attentionGradients(
    b,
    { q: q!, k: k!, v: v!, bias: sumOf(b, [paddingBias(b, 3), node.input(5), causal]) },
    intoHeads(b, b.dy, layouts[2]!),
    {
      samples,
      heads,
      keyHeads: heads,
      queries: length,
      keys: length,
      size,
      valueSize,
      scale: scaleOf(b, size),
      softcap: 0,
    },
  );
  const joined = b.concat(
    [found.q, found.k, found.v].map((value, i) => outOfHeads(b, value, layouts[i]!)),
    2,
  );
  const rows = b.reshape(joined, [-1, total]);
  return [
    b.wants(0) ? b.matMul(joined, b.swapLast(b.input(1), 2)) : null,
    b.wants(1) ? b.op("Gemm", [b.reshape(b.input(0), [-1, inputs]), rows], { transA: 1 }) : null,
    b.wants(2) ? b.sum(rows, [0]) : null,
    null,
    null,
    b.wants(5) ? b.unbroadcast(found.scores, [samples, heads, length, length], b.shapeOf(5)) : null,
  ];
}

/** GroupQueryAttention over whole texts, without a past: causal, with or without its own rotation. */
export function groupQueryAttention(b: Backward): InputGradients {
  const { node } = b;
  if (!node.input(1) || !node.input(2)) throw b.refusal("query, key and value are packed in one, which has no rule");
  if (node.input(3) && b.shapeOf(3)[2] !== 0)
    throw b.refusal("its past is a cache of generated text, which has no rule");
  if (node.int("local_window_size", -1) !== -1 || node.int("smooth_softmax", 0) !== 0) {
    throw b.refusal("its window or its smooth softmax has no rule");
  }
  refuseInputs(b, 9);
  const [heads, keyHeads] = [node.int("num_heads", 1), node.int("kv_num_heads", 1)];
  const [samples = 1, length = 1, hidden = 1] = b.shapeOf(0);
  const size = hidden / heads;
  const rotary = node.int("do_rotary", 0) !== 0;
  const turned = (value: Value, count: number, back: boolean) => {
    if (!rotary) return value;
    const [cos, sin] = [b.input(7), b.input(8)];
    const first = b.constant(Tensor.int64([1], [0]));
    const attributes = { interleaved: node.int("rotary_interleaved", 0), num_heads: count };
    return b.op("RotaryEmbedding", [value, first, cos, back ? b.neg(sin) : sin], attributes, {
      domain: "com.microsoft",
    });
  };
  const layouts = [heads, keyHeads, keyHeads].map((count) => [samples, length, count, size]);
  // Texts that end earlier see, like all others, only keys before them.
  const found = attentionGradients(
    b,
    {
      q: intoHeads(b, turned(b.input(0), heads, false), layouts[0]!),
      k: intoHeads(b, turned(b.input(1), keyHeads, false), layouts[1]!),
      v: intoHeads(b, b.input(2), layouts[2]!),
      bias: causalBias(b, length, length, 0),
    },
    intoHeads(b, b.dy, layouts[0]!),
    {
      samples,
      heads,
      keyHeads,
      queries: length,
      keys: length,
      size,
      valueSize: size,
      scale: scaleOf(b, size),
      softcap: node.float("softcap", 0),
    },
  );
  const [q, k, v] = [found.q, found.k, found.v].map((value, i) => outOfHeads(b, value, layouts[i]!));
  return [turned(q!, heads, true), turned(k!, keyHeads, true), v];
}
