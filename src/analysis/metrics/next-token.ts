/**
 * How well a language model foresees its own input: the mean of −log p(next token) over all tokens but the first of each text, in nats
 * (cross-entropy) or bits, or e to the power of it (perplexity: among how many equally likely tokens it hesitates).
 */
import { AvocetError } from "../../base/inner.ts";
import type { Feeds, Tensor } from "../../tensor/inner.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

/** The names of the metrics, each with its unit and what it makes of the mean in nats. */
const nextTokenMetrics = {
  perplexity: { unit: "", of: Math.exp },
  "cross-entropy": { unit: "nats", of: (nats: number) => nats },
  "bits-per-token": { unit: "bits", of: (nats: number) => nats / Math.LN2 },
} as const;

export type NextTokenName = keyof typeof nextTokenMetrics;

/**
 * The output is [texts, tokens, vocabulary], before a softmax; the tokens are those of the input called `input_ids`, or the only input of whole
 * numbers. Tokens where `attention_mask` is 0 are not judged; where a model takes no mask, neither are zeros at the end of a text, with which
 * data fills short ones. Throws `data/wrong-shape` for other outputs, `data/labels` for
 * a token beyond the vocabulary, `usage/bad-value` without an input of tokens.
 */
export function nextToken(name: NextTokenName, options: MetricOptions = {}): Metric<"none"> {
  /** By text: the sum of −log p, and how many tokens were judged. */
  const rows: Float64Array[] = [];
  const { unit, of } = nextTokenMetrics[name];
  const score = (sums: ArrayLike<number>) => of(sums[0]! / Math.max(sums[1]!, 1));
  const sum = (at: number) => rows.reduce((total, row) => total + row[at]!, 0);
  return {
    name,
    unit,
    better: "lower",
    labels: "none",
    see(outputs, feeds) {
      const tokens = tokensOf(feeds);
      const mask = feeds.attention_mask?.numbers();
      const [texts, length] = tokens.shape as [number, number];
      const logits = judgedOutput(outputs, options.output);
      const vocabulary = logits.shape[2];
      if (logits.shape.length !== 3 || logits.shape[0] !== texts || logits.shape[1] !== length || !vocabulary) {
        throw new AvocetError(
          "data/wrong-shape",
          `expected logits [${texts},${length},vocabulary] for ${name}, got [${logits.shape.join(",")}]`,
          { hint: "the metric is of models that foresee each next token of their input" },
        );
      }
      const ids = tokens.numbers();
      const scores = logits.floats();
      for (let text = 0; text < texts; text++) {
        const row = new Float64Array(2);
        const used = mask ? length : filled(ids, text * length, length);
        for (let i = 0; i + 1 < used; i++) {
          const at = text * length + i;
          if (mask && !(mask[at] && mask[at + 1])) continue;
          const next = ids[at + 1]!;
          if (!(next >= 0 && next < vocabulary)) {
            throw new AvocetError("data/labels", `expected tokens from 0 to ${vocabulary - 1}, got ${next}`);
          }
          const own = scores.subarray(at * vocabulary, (at + 1) * vocabulary);
          row[0]! += surprise(own, next);
          row[1]! += 1;
        }
        rows.push(row);
      }
    },
    value: () => score([sum(0), sum(1)]),
    tally: { rows, score, isShare: false },
  };
}

/** How many tokens of a text stand before the zeros at its end. */
function filled(ids: readonly number[], start: number, length: number): number {
  let used = length;
  while (used > 0 && ids[start + used - 1] === 0) used--;
  return used;
}

function tokensOf(feeds: Feeds): Tensor {
  const whole = Object.values(feeds).filter(({ dtype, shape }) => /^int(32|64)$/.test(dtype) && shape.length === 2);
  const found = feeds.input_ids ?? (whole.length === 1 ? whole[0] : undefined);
  if (found?.shape.length === 2) return found;
  throw new AvocetError("usage/bad-value", "expected an input of tokens [texts, tokens], input_ids, got none", {
    hint: Object.keys(feeds).join(", "),
  });
}

/** −log p of one class: log Σ e^(x − m) + (m − x of the class), with m the largest, so that nothing overflows or cancels. */
function surprise(values: Float32Array, of: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const x of values) if (x > most) most = x;
  let sum = 0;
  for (const x of values) sum += Math.exp(x - most);
  return Math.log(sum) + (most - values[of]!);
}
