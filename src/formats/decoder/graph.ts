/**
 * A decoder of the Llama family as a graph of standard operators (docs/decisions/decoders-are-plain-onnx.md):
 *
 *   h ← h + Attention(RMSNorm(h)),  h ← h + W_down · (SiLU(W_gate · n) ⊙ W_up · n) with n = RMSNorm(h),  logits = head(RMSNorm(h))
 *
 * Inputs and outputs have the names that transformers.js looks for: input_ids, attention_mask, position_ids, past_key_values.N.key and
 * .value → logits, present.N.key and .value.
 */
import { Model, tensorType, type Value } from "../../ir/inner.ts";
import { attention } from "./attention.ts";
import type { DecoderConfig } from "./config.ts";
import { DecoderGraph } from "./net.ts";
import type { DecoderWeights } from "./weights.ts";

export interface DecoderOptions {
  /** Whether keys and values of earlier tokens come in and go out. Default true. */
  readonly cache?: boolean;
}

/** ReduceMean takes its axes as an input from here on; nothing newer is needed. */
const opset = 18;

/** Throws `import/malformed` for weights that are missing or do not fit the configuration. */
export function decoderModel(config: DecoderConfig, weights: DecoderWeights, options: DecoderOptions = {}): Model {
  const vocabulary = weights.find("model.embed_tokens.weight")?.shape[0] ?? 0;
  const net = new DecoderGraph(config, weights);
  const { graph } = net;
  const batch = "batch_size";
  const ids = graph.addInput("input_ids", tensorType("int64", [batch, "sequence_length"]));
  const mask = graph.addInput("attention_mask", tensorType("int64", [batch, "total_sequence_length"]));
  const positions = graph.addInput("position_ids", tensorType("int64", [batch, "sequence_length"]));
  const rotation = net.rotation(positions);
  const biases = new Map<number | undefined, Value>();
  const biasOf = (layer: number) => {
    const window = config.windowOf?.(layer);
    const bias = biases.get(window) ?? net.maskBias(ids, mask, window);
    biases.set(window, bias);
    return bias;
  };
  const table = graph.addInitializer(
    "model.embed_tokens.weight",
    weights.plain("model.embed_tokens.weight", [vocabulary, config.hidden]),
  );
  let hidden = net.add("Gather", [table, ids], "model.embed_tokens");
  const presents: Value[] = [];
  for (let i = 0; i < config.layers; i++) {
    const at = `model.layers.${i}`;
    const past = options.cache === false ? undefined : net.past(i, batch);
    const normal = net.norm(hidden, `${at}.input_layernorm`);
    const attended = attention(net, normal, { at: `${at}.self_attn`, rotation, bias: biasOf(i), past });
    if (past) presents.push(attended.key, attended.value);
    hidden = net.add("Add", [hidden, attended.output], `${at}.attention`);
    hidden = net.add("Add", [hidden, mlp(net, hidden, at)], `${at}.output`);
    // A file may claim layers that it does not have: no graph is built for those.
    weights.check();
  }
  const last = net.norm(hidden, "model.norm");
  const logits = !(config.tied ?? !weights.has("lm_head.weight"))
    ? net.product(last, "lm_head", config.hidden, vocabulary)
    : net.add("MatMul", [last, net.add("Transpose", [table], "lm_head.weight", { perm: [1, 0] })], "lm_head");
  weights.check();
  graph.rename(logits, "logits");
  logits.type = tensorType("float32", [batch, "sequence_length", vocabulary]);
  graph.addOutput(logits);
  for (const [i, value] of presents.entries()) {
    graph.rename(value, `present.${i >> 1}.${i % 2 === 0 ? "key" : "value"}`);
    value.type = tensorType("float32", [batch, config.keyValueHeads, "total_sequence_length", config.headSize]);
    graph.addOutput(value);
  }
  const model = new Model(graph, [["", opset]]);
  model.producerName = "avocet";
  return model;
}

function mlp(net: DecoderGraph, hidden: Value, layer: string): Value {
  const { config, weights } = net;
  const at = `${layer}.mlp`;
  const width = weights.find(`${at}.gate_proj.weight`)?.shape[0] ?? 0;
  const x = net.norm(hidden, `${layer}.post_attention_layernorm`);
  const gate = net.product(x, `${at}.gate_proj`, config.hidden, width);
  const silu = net.add("Mul", [gate, net.add("Sigmoid", [gate], `${at}.sigmoid`)], `${at}.silu`);
  const up = net.product(x, `${at}.up_proj`, config.hidden, width);
  return net.product(net.add("Mul", [silu, up], `${at}.gated`), `${at}.down_proj`, width, config.hidden);
}
