/** Word and character error rate: how many insertions, deletions and substitutions turn what was read into what is true. */
import { AvocetError } from "../../base/inner.ts";
import { ctcTexts } from "./ctc.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

/** Words lie between white space; characters are Unicode's code points. A share may be above 100 %. */
export function textError(of: "words" | "characters", options: MetricOptions = {}): Metric<"texts"> {
  /** By sample: errors, and words or characters that are true. */
  const rows: Float64Array[] = [];
  const total = (at: number) => rows.reduce((sum, row) => sum + row[at]!, 0);
  const score = (sums: ArrayLike<number>) => sums[0]! / Math.max(sums[1]!, 1);
  const parts = (text: string) => (of === "words" ? text.split(/\s+/).filter((word) => word !== "") : [...text]);
  return {
    name: of === "words" ? "wer" : "cer",
    unit: "%",
    better: "lower",
    labels: "texts",
    see(outputs, _feeds, labels) {
      const ctc = ctcOf(options);
      const texts = ctcTexts(judgedOutput(outputs, ctc.output ?? options.output), labels.size, ctc);
      for (const [n, text] of texts.entries()) {
        const truth = parts(labels.at(n));
        rows.push(Float64Array.of(editDistance(parts(text), truth), truth.length));
      }
    },
    value: () => score([total(0), total(1)]),
    tally: { rows, isShare: false, score },
  };
}

/** Throws `usage/missing` where nobody says how outputs become texts. */
export function ctcOf({ decode }: MetricOptions) {
  if (decode && "ctc" in decode) return decode.ctc;
  throw new AvocetError("usage/missing", "expected how outputs become texts, got nothing", {
    at: "--decode",
    hint: '--decode FILE with {"ctc": {"characters": "abc…"}}: docs/judging.md',
  });
}

/** Levenshtein's distance, row by row (Wagner and Fischer, 1974). */
export function editDistance<T>(found: readonly T[], truth: readonly T[]): number {
  let row = Array.from({ length: truth.length + 1 }, (_, j) => j);
  for (const [i, one] of found.entries()) {
    const next = [i + 1];
    for (const [j, other] of truth.entries()) {
      next.push(Math.min(row[j]! + (one === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[truth.length]!;
}
