/** Recall of retrieval: the share of samples that have one of their own among the k nearest others, by cosine of their embeddings. */
import { AvocetError, expectArguments } from "../../base/inner.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

/** Each embedding is compared with all others when the value is asked for: some ten seconds of 8,192 with 384 numbers, twice. */
const mostSamples = 8192;
/** Numbers that are kept: all of as many embeddings with 4,096 numbers, 128 MB. */
const mostNumbers = 2 ** 25;

/** Samples with the same label belong together: the two of a pair, or all of a class. Those that are alone are looked among, not for. */
export function recallAt(k: number, { output }: MetricOptions = {}): Metric<"classes"> {
  expectArguments("recallAt(k)", { k: [k, "count"] });
  const embeddings: Float32Array[] = [];
  const labelsOf: number[] = [];
  let rows: Uint8Array[] = [];
  const score = (sums: ArrayLike<number>) => sums[0]! / Math.max(rows.length, 1);
  const value = () => {
    rows = hits(embeddings, labelsOf, k);
    return score([rows.reduce((sum, row) => sum + row[0]!, 0)]);
  };
  return {
    name: `recall@${k}`,
    unit: "%",
    better: "higher",
    labels: "classes",
    see(outputs, _feeds, labels) {
      const numbers = judgedOutput(outputs, output).floats();
      const per = numbers.length / labels.size;
      if (embeddings.length + labels.size > mostSamples || (embeddings.length + labels.size) * per > mostNumbers) {
        throw new AvocetError(
          "data/too-large",
          `expected at most ${mostSamples} embeddings and ${mostNumbers} numbers in all, got more`,
          { hint: "judge on fewer samples: --samples, --evaluate-samples" },
        );
      }
      for (let n = 0; n < labels.size; n++) {
        embeddings.push(normalized(numbers.slice(n * per, (n + 1) * per)));
        labelsOf.push(labels.at(n));
      }
    },
    value,
    tally: {
      get rows() {
        return rows;
      },
      score,
      isShare: true,
    },
  };
}

function normalized(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return length === 0 ? vector : vector.map((x) => x / length);
}

/** Of each sample that is not alone: 1 where fewer than k others of another label are nearer than its nearest own. */
function hits(embeddings: readonly Float32Array[], labels: readonly number[], k: number): Uint8Array[] {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const rows: Uint8Array[] = [];
  for (const [i, one] of embeddings.entries()) {
    if (counts.get(labels[i]!)! < 2) continue;
    const near = embeddings.map((other, j) => (j === i ? Number.NEGATIVE_INFINITY : dot(one, other)));
    const own = near.reduce((best, x, j) => (j !== i && labels[j] === labels[i] ? Math.max(best, x) : best), -2);
    // Equal ones count as nearer: embeddings that are all the same find nothing.
    const ahead = near.filter((x, j) => j !== i && labels[j] !== labels[i] && !(x < own)).length;
    rows.push(Uint8Array.of(ahead < k ? 1 : 0));
  }
  if (rows.length > 0) return rows;
  throw new AvocetError("data/labels", "expected samples that belong together, every label is of one sample alone", {
    hint: "labels are the number of its pair for each sample: 0 0 1 1 …",
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
