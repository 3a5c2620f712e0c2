/**
 * Causal self-attention with rotary positions: softmax(q kᵀ / √d + mask) v by head. Heads of queries that share keys lie on an axis of
 * their own, over which the products broadcast, so that keys are never repeated.
 */
import type { Value } from "../../ir/inner.ts";
import type { DecoderGraph, Rotation } from "./net.ts";

export interface AttentionPlace {
  /** The name of the block. */
  readonly at: string;
  readonly rotation: Rotation;
  /** What is added to the scores, [batch, 1, sequence, total]. */
  readonly bias: Value;
  /** Keys and values of earlier tokens. */
  readonly past: { readonly key: Value; readonly value: Value } | undefined;
}

/** The sum over heads, and all keys and values, [batch, heads, total, head size]. */
export function attention(
  net: DecoderGraph,
  x: Value,
  { at, rotation, bias, past }: AttentionPlace,
): { readonly output: Value; readonly key: Value; readonly value: Value } {
  const { hidden, heads, keyValueHeads, headSize } = net.config;
  const shared = heads / keyValueHeads;
  const grouped = shared > 1;
  /** [batch, sequence, heads, head size], normalised where the file has norms of heads. */
  const headsOf = (what: "q" | "k" | "v", count: number) => {
    const flat = net.product(x, `${at}.${what}_proj`, hidden, count * headSize);
    const split = net.add("Reshape", [flat, net.ints(0, 0, count, headSize)], `${at}.${what}`);
    return what !== "v" && net.weights.has(`${at}.${what}_norm.weight`)
      ? net.norm(split, `${at}.${what}_norm`, headSize)
      : split;
  };
  const queries = rotated(net, headsOf("q", heads), rotation, `${at}.q`);
  const key = joined(net, rotated(net, headsOf("k", keyValueHeads), rotation, `${at}.k`), past?.key, `${at}.k`);
  const value = joined(net, headsOf("v", keyValueHeads), past?.value, `${at}.v`);
  const scaled = net.add("Mul", [queries, net.float(headSize ** -0.5)], `${at}.q`);
  // [batch, key heads, shared, sequence, head size] where heads share keys.
  const q = grouped
    ? net.add(
        "Transpose",
        [net.add("Reshape", [scaled, net.ints(0, 0, keyValueHeads, shared, headSize)], `${at}.q`)],
        `${at}.q`,
        { perm: [0, 2, 3, 1, 4] },
      )
    : net.add("Transpose", [scaled], `${at}.q`, { perm: [0, 2, 1, 3] });
  const wide = (value: Value, name: string) => (grouped ? net.add("Unsqueeze", [value, net.ints(2)], name) : value);
  const turned = net.add("Transpose", [key], `${at}.k`, { perm: [0, 1, 3, 2] });
  const scores = net.add("MatMul", [q, wide(turned, `${at}.k`)], `${at}.scores`);
  const masked = net.add("Add", [scores, wide(bias, `${at}.mask`)], `${at}.scores`);
  const shares = net.add("Softmax", [masked], `${at}.scores`, { axis: -1 });
  const mixed = net.add("MatMul", [shares, wide(value, `${at}.v`)], `${at}.mixed`);
  const back = net.add("Transpose", [mixed], `${at}.mixed`, { perm: grouped ? [0, 3, 1, 2, 4] : [0, 2, 1, 3] });
  const flat = net.add("Reshape", [back, net.ints(0, 0, heads * headSize)], `${at}.mixed`);
  return { output: net.product(flat, `${at}.o_proj`, heads * headSize, hidden), key, value };
}

/** x · cos + (−x₂, x₁) · sin, with the halves x₁ and x₂ of each head. */
function rotated(net: DecoderGraph, x: Value, { cosine, sine }: Rotation, name: string): Value {
  const half = net.config.headSize / 2;
  const part = (from: number, to: number) =>
    net.add("Slice", [x, net.ints(from), net.ints(to), net.ints(-1)], `${name}.half`);
  const turned = net.add(
    "Concat",
    [net.add("Neg", [part(half, 2 * half)], `${name}.half`), part(0, half)],
    `${name}.turned`,
    { axis: -1 },
  );
  const kept = net.add("Mul", [x, cosine], `${name}.cosine`);
  return net.add("Add", [kept, net.add("Mul", [turned, sine], `${name}.sine`)], `${name}.rotated`);
}

/** By head, behind those of earlier tokens. */
function joined(net: DecoderGraph, x: Value, past: Value | undefined, name: string): Value {
  const own = net.add("Transpose", [x], name, { perm: [0, 2, 1, 3] });
  return past ? net.add("Concat", [past, own], `${name}.all`, { axis: 2 }) : own;
}
