/** Attention: of several heads with weights of their own, and the plain product of queries, keys and values. */
import { alongAxis } from "../../channels-last/axes.ts";
import { elementwise } from "../../channels-last/elementwise.ts";
import { dense, matMul } from "../../channels-last/matrix.ts";
import { reshape, transpose } from "../../channels-last/reshape.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import { isTerm, type LayerCall, type Row } from "../call.ts";

function expectPlain(c: LayerCall): void {
  const masked = ["attention_mask", "query_mask", "value_mask", "key_mask", "mask"].find(
    (key) => c.parts.kwargs[key] != null,
  );
  if (masked) throw c.e.fail(`expected attention without a mask, got ${masked}`);
  if (c.parts.kwargs.use_causal_mask === true || c.setting("causal") === true)
    throw c.e.fail("expected attention without a causal mask");
  if (c.parts.kwargs.return_attention_scores === true) throw c.e.fail("expected attention that returns no scores");
}

/** Query, value and key by position or by name; the key is the value where it is left out. */
function operands(c: LayerCall): { query: Term; value: Term; key: Term } {
  const at = (position: number, key: string): Term | undefined => {
    const one = c.parts.args[position];
    return isTerm(one) ? one : c.named(key);
  };
  const list = Array.isArray(c.parts.args[0]) ? (c.parts.args[0] as unknown[]).filter(isTerm) : undefined;
  const query = list?.[0] ?? at(0, "query");
  const value = list?.[1] ?? at(1, "value") ?? c.parts.inputs[1];
  if (!query || !value) throw c.e.broken("expected a query and a value");
  return { query, value, key: list?.[2] ?? at(2, "key") ?? value };
}

const multiHead: Row = (c) => {
  expectPlain(c);
  const { e } = c;
  const { query, value, key } = operands(c);
  const [heads, size] = [c.number("num_heads"), c.number("key_dim")];
  const valueSize = c.setting("value_dim") == null ? size : c.number("value_dim");
  const isBiased = c.flag("use_bias", true);
  /** [batch, heads, steps, size]: one product for all heads. */
  const projected = (x: Term, part: string, width: number): Term => {
    if (x.shape.length !== 3) throw e.fail(`expected sequences of rank 3, got ${x.shape.length}`);
    const weights = c.parts.weights.part(`${part}_dense`, (name) => name === part);
    const kernel = c.weight("kernel", 0, weights).constant!;
    const bias = isBiased ? c.weight("bias", 1, weights).constant! : undefined;
    const flat = e.constant(kernel.reshape([kernel.shape[0]!, heads * width]));
    const y = dense(e, x, flat, bias && e.constant(bias.reshape([heads * width])));
    return transpose(e, reshape(e, y, [y.shape[0] ?? -1, y.shape[1]!, heads, width]), [0, 2, 1, 3]);
  };
  const scale = e.numbers(1 / Math.sqrt(size), "float32");
  const scores = matMul(
    e,
    elementwise(e, "Mul", [projected(query, "query", size), scale]),
    projected(key, "key", size),
    false,
    true,
  );
  const mixed = transpose(
    e,
    matMul(e, alongAxis(e, "Softmax", scores, -1), projected(value, "value", valueSize)),
    [0, 2, 1, 3],
  );
  const joined = reshape(e, mixed, [mixed.shape[0] ?? -1, mixed.shape[1]!, heads * valueSize]);
  const out = c.parts.weights.part("output_dense", (name) => name === "attention_output");
  const kernel = c.weight("kernel", 0, out).constant!;
  const shape = lengthsOf(kernel.shape)!;
  if (shape.length !== 3) throw e.fail("expected an output of one axis of features");
  const bias = isBiased ? c.weight("bias", 1, out) : undefined;
  return dense(e, joined, e.constant(kernel.reshape([heads * valueSize, shape[2]!])), bias);
};

const attention: Row = (c) => {
  expectPlain(c);
  const { e } = c;
  const { query, value, key } = operands(c);
  if (c.text("score_mode", "dot") !== "dot") throw c.broken("score_mode", "dot");
  const plain = matMul(e, query, key, false, true);
  const scores = c.flag("use_scale") ? elementwise(e, "Mul", [plain, c.weight("scale")]) : plain;
  return matMul(e, alongAxis(e, "Softmax", scores, -1), value);
};

export const attentionLayers = {
  MultiHeadAttention: multiHead,
  Attention: attention,
} satisfies Record<string, Row>;
