/** The hyperparameters of a decoder of the Llama family, as `config.json` of Hugging Face or the values of a GGUF file have them. */
import { AvocetError } from "../../base/inner.ts";
import type { GgufMetadata } from "../gguf/metadata.ts";
import { type RotaryScaling, yarnAttention } from "./rotary.ts";

export interface DecoderConfig {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  /** Heads of keys and values; fewer than `heads` where several heads of queries share one. */
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** ε of RMSNorm. */
  readonly epsilon: number;
  /** The base of the rotary frequencies. */
  readonly theta: number;
  readonly scaling: RotaryScaling;
  /** How many positions, its own included, a layer looks at (default: all). */
  readonly windowOf?: (layer: number) => number | undefined;
  /** Whether the head is the table of the embedding. Absent: where there is no head. */
  readonly tied?: boolean;
}

/** Families that differ from Llama in what the weights show alone: biases of q, k and v, norms of q and k. */
const families = ["llama", "mistral", "qwen2", "qwen3"] as const;

/** A model that is told by its `config.json`. Throws `import/unknown-format` for other families, `import/malformed`. */
export function configOfJson(json: Readonly<Record<string, unknown>>, at: string): DecoderConfig {
  const values = new Values(at, (key) => json[key]);
  expectFamily(values.text("model_type"), at);
  values.refuse("hidden_act", [undefined, "silu", "swish"], "SiLU");
  values.refuse("partial_rotary_factor", [undefined, null, 1], "rotation of whole heads");
  const heads = values.number("num_attention_heads");
  const hidden = values.number("hidden_size");
  // Version 5 of transformers keeps both in rope_parameters.
  const rope = (json.rope_parameters ?? json.rope_scaling ?? {}) as Readonly<Record<string, unknown>>;
  const rotary = new Values(`${at}, rope_scaling`, (key) => rope[key]);
  return checked(
    {
      layers: values.number("num_hidden_layers"),
      hidden,
      heads,
      keyValueHeads: values.number("num_key_value_heads", heads),
      headSize: values.number("head_dim", hidden / heads),
      epsilon: values.number("rms_norm_eps", 1e-6),
      theta: values.number("rope_theta", rotary.number("rope_theta", 10_000)),
      scaling: scalingOf(rotary, at),
      ...windowsOf(json, values, at),
      ...(typeof json.tie_word_embeddings === "boolean" ? { tied: json.tie_word_embeddings } : {}),
    },
    at,
  );
}

/** Mistral's window is one of all layers, Qwen's of the upper ones and only when asked for; newer files have a list. */
function windowsOf(
  json: Readonly<Record<string, unknown>>,
  values: Values,
  at: string,
): Pick<DecoderConfig, "windowOf"> {
  const isAsked = json.use_sliding_window ?? json.model_type === "mistral";
  const size = json.sliding_window;
  if (isAsked !== true || size === null || size === undefined) return {};
  const window = values.number("sliding_window");
  if (!Number.isSafeInteger(window) || window < 1) {
    throw new AvocetError(
      "import/malformed",
      `expected a whole number of positions as sliding_window, got ${shown(size)}`,
      {
        at,
      },
    );
  }
  const { layer_types: types } = json;
  if (Array.isArray(types)) return { windowOf: (layer) => (types[layer] === "sliding_attention" ? window : undefined) };
  const from = json.model_type === "mistral" ? 0 : values.number("max_window_layers", 28);
  return { windowOf: (layer) => (layer >= from ? window : undefined) };
}

function scalingOf(rope: Values, at: string): RotaryScaling {
  const type = rope.value("rope_type") ?? rope.value("type") ?? "default";
  if (type === "default") return { kind: "none" };
  if (type === "linear") return { kind: "linear", factor: rope.number("factor") };
  if (type === "llama3") {
    return {
      kind: "llama3",
      factor: rope.number("factor"),
      low: rope.number("low_freq_factor"),
      high: rope.number("high_freq_factor"),
      positions: rope.number("original_max_position_embeddings"),
    };
  }
  if (type === "yarn") {
    const factor = rope.number("factor");
    const [m, all] = [rope.number("mscale", 0), rope.number("mscale_all_dim", 0)];
    const inferred = m && all ? yarnAttention(factor, m) / yarnAttention(factor, all) : yarnAttention(factor);
    return {
      kind: "yarn",
      factor,
      fast: rope.number("beta_fast", 32),
      slow: rope.number("beta_slow", 1),
      positions: rope.number("original_max_position_embeddings"),
      whole: rope.value("truncate") !== false,
      attention: rope.number("attention_factor", inferred),
    };
  }
  throw unsupported(`rotary scaling that is default, linear, llama3 or yarn, got ${shown(type)}`, at);
}

/** A model that is told by the values of a GGUF file. `factors` are those of `rope_freqs.weight`, where the file has it. */
export function configOfGguf(values: GgufMetadata, factors: Float32Array | undefined, at: string): DecoderConfig {
  const family = values.text("general.architecture");
  expectFamily(family, at);
  const own = new Values(at, (key) => values.number(`${family}.${key}`) ?? values.text(`${family}.${key}`));
  if (own.number("expert_count", 0) > 0) throw unsupported("layers without experts, got a mixture of experts", at);
  const heads = own.number("attention.head_count");
  const hidden = own.number("embedding_length");
  const headSize = own.number("attention.key_length", hidden / heads);
  if (own.number("rope.dimension_count", headSize) !== headSize) throw unsupported("rotation of whole heads", at);
  const type = own.value("rope.scaling.type") ?? "none";
  if (type !== "none" && type !== "linear") {
    throw unsupported(`rotary scaling that is none or linear, got ${shown(type)}`, at);
  }
  const linear = type === "linear" ? ({ kind: "linear", factor: own.number("rope.scaling.factor") } as const) : null;
  return checked(
    {
      layers: own.number("block_count"),
      hidden,
      heads,
      keyValueHeads: own.number("attention.head_count_kv", heads),
      headSize,
      epsilon: own.number("attention.layer_norm_rms_epsilon"),
      theta: own.number("rope.freq_base", 10_000),
      scaling: factors ? { kind: "given", factors } : (linear ?? { kind: "none" }),
    },
    at,
  );
}

/** Layers that a decoder may have: the largest have 126. */
const mostLayers = 1000;
/** Numbers of a head: usual are 64 to 256. Tables of them are made before the weights are looked at. */
const mostHeadSize = 2 ** 14;

function checked(config: DecoderConfig, at: string): DecoderConfig {
  const { layers, hidden, heads, keyValueHeads, headSize, epsilon, theta } = config;
  const whole = [layers, hidden, heads, keyValueHeads, headSize].every((n) => Number.isSafeInteger(n) && n > 0);
  const bounded = layers <= mostLayers && headSize <= mostHeadSize;
  if (whole && bounded && heads % keyValueHeads === 0 && headSize % 2 === 0 && epsilon > 0 && theta > 0) return config;
  throw new AvocetError(
    "import/malformed",
    "expected whole numbers of layers and heads, heads that share keys evenly, and heads of even length, " +
      `got ${layers} layers, ${hidden} channels, ${heads} heads of ${headSize}, ${keyValueHeads} of keys`,
    { at },
  );
}

/** Values by key, with the faults that they may have. */
class Values {
  readonly #at: string;
  readonly value: (key: string) => unknown;

  constructor(at: string, value: (key: string) => unknown) {
    this.#at = at;
    this.value = value;
  }

  text(key: string): string | undefined {
    const found = this.value(key);
    return typeof found === "string" ? found : undefined;
  }

  number(key: string, fallback?: number): number {
    const found = this.value(key) ?? fallback;
    if (typeof found === "number" && Number.isFinite(found)) return found;
    throw new AvocetError("import/malformed", `expected a number as ${key}, got ${shown(found)}`, { at: this.#at });
  }

  refuse(key: string, known: readonly unknown[], what: string): void {
    const found = this.value(key);
    if (!known.includes(found)) throw unsupported(`${what}, got ${shown(found)} as ${key}`, this.#at);
  }
}

function expectFamily(family: string | undefined, at: string): void {
  if ((families as readonly unknown[]).includes(family)) return;
  throw unsupported(`a decoder of the Llama family (${families.join(", ")}), got ${shown(family)}`, at);
}

function unsupported(problem: string, at: string): AvocetError {
  return new AvocetError("import/unknown-format", `expected ${problem}`, {
    at,
    hint: "export it to ONNX where it was made",
  });
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 80);
}
