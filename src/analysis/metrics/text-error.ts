/** Word and character error rate: how many insertions, deletions and substitutions turn what was read into what is true. */
import { AvocetError } from "../../base/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";
import { ctcTexts } from "./ctc.ts";
import { editDistance } from "./edit-distance.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

/** Words lie between white space; characters are Unicode's code points. A share may be above 100 %. */
export function textError(of: "words" | "characters", options: MetricOptions = {}): Metric<"texts"> {
  /** By sample: errors, and words or characters that are true. */
  const rows: Float64Array[] = [];
  const total = (at: number) => rows.reduce((sum, row) => sum + row[at]!, 0);
  const score = (sums: ArrayLike<number>) => sums[0]! / Math.max(sums[1]!, 1);
  const parts = (text: string) => (of === "words" ? text.split(/\s+/).filter((word) => word !== "") : [...text]);
  const read = (outputs: Feeds, size: number) => {
    const ctc = ctcOf(options);
    return ctcTexts(judgedOutput(outputs, ctc.output ?? options.output), size, ctc);
  };
  return {
    name: of === "words" ? "wer" : "cer",
    unit: "%",
    better: "lower",
    labels: "texts",
    see(outputs, _feeds, labels) {
      for (const [n, text] of read(outputs, labels.size).entries()) {
        const truth = parts(labels.at(n));
        rows.push(Float64Array.of(editDistance(parts(text), truth), truth.length));
      }
    },
    value: () => score([total(0), total(1)]),
    tally: { rows, isShare: false, score },
    show: (outputs, labels) =>
      read(outputs, labels.size).map((text, n) => ({
        found: { kind: "text", text },
        truth: { kind: "text", text: labels.at(n) },
      })),
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
