/**
 * Scaled dot products (Vaswani et al., 2017), p = softmax(t(scale · q kᵀ) + bias) and y = p · v, where t is nothing or the
 * soft cap c · tanh(s / c). The weights p are computed again; queries may share keys in groups (Ainslie et al., 2023).
 */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Emitter } from "../../emitter.ts";

/** B samples, H query heads over G key heads, S queries, T keys, D elements of a query and V of a value. */
export interface AttentionForm {
  readonly samples: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly size: number;
  readonly valueSize: number;
  readonly scale: number;
  /** 0 is none. */
  readonly softcap: number;
}

/** q [B, H, S, D], k [B, G, T, D], v [B, G, T, V]; `bias` broadcasts against [B, H, S, T]. */
export interface AttentionInputs {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly bias: Value | null;
}

/** The gradients of the inputs; that of the bias has the shape [B, H, S, T] of the scores. */
export interface AttentionGradients {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly scores: Value;
}

/** From the gradient `dy` [B, H, S, V] of the output. */
export function attentionGradients(
  e: Emitter,
  { q, k, v, bias }: AttentionInputs,
  dy: Value,
  form: AttentionForm,
): AttentionGradients {
  const { samples, heads, keyHeads, queries, keys, size, valueSize, scale, softcap } = form;
  const group = heads / keyHeads;
  // A group of query heads is one head of more queries: rows of a product do not mix.
  const grouped = (value: Value, length: number) =>
    group === 1 ? value : e.reshape(value, [samples, keyHeads, group * queries, length]);
  const apart = (value: Value, length: number) =>
    group === 1 ? value : e.reshape(value, [samples, heads, queries, length]);
  const rows = grouped(q, size);
  const raw = e.mul(e.matMul(rows, e.swapLast(k, 4)), scale);
  const bend = softcap > 0 ? e.op("Tanh", [e.mul(raw, 1 / softcap)]) : null;
  const scores = apart(bend ? e.mul(bend, softcap) : raw, keys);
  const p = e.op("Softmax", [bias ? e.add(scores, bias) : scores], { axis: -1 });
  const given = grouped(dy, valueSize);
  const dp = apart(e.matMul(given, e.swapLast(v, 4)), keys);
  const weighed = e.mul(dp, p);
  const ds = e.sub(weighed, e.mul(p, e.sum(weighed, [3], true)));
  const inner = grouped(ds, keys);
  const straight = e.mul(bend ? e.mul(inner, e.sub(e.scalar(1), e.square(bend))) : inner, scale);
  return {
    q: apart(e.matMul(straight, k), size),
    k: e.matMul(e.swapLast(straight, 4), rows),
    v: e.matMul(e.swapLast(grouped(p, keys), 4), given),
    scores: ds,
  };
}

/** What is added to a score that must not count. */
export const shut = -1e30;

/** Keys after a query do not count; the first query stands at place `past`. [1, 1, S, T] */
export function causalBias(e: Emitter, queries: number, keys: number, past: number): Value {
  const values = Array.from({ length: queries * keys }, (_, i) => (i % keys > Math.floor(i / keys) + past ? shut : 0));
  return e.constant(Tensor.float32([1, 1, queries, keys], values));
}

/** [B, S, H · D] → [B, H, S, D]. */
export function intoHeads(e: Emitter, value: Value, [samples, length, heads, size]: readonly number[]): Value {
  return e.transpose(e.reshape(value, [samples!, length!, heads!, size!]), [0, 2, 1, 3]);
}

/** [B, H, S, D] → [B, S, H · D]. */
export function outOfHeads(e: Emitter, value: Value, [samples, length, heads, size]: readonly number[]): Value {
  return e.reshape(e.transpose(value, [0, 2, 1, 3]), [samples!, length!, heads! * size!]);
}
