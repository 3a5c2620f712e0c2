/** Peak signal-to-noise ratio of images, in dB: the mean over samples, as papers on super-resolution give it. */
import { AvocetError } from "../../base/inner.ts";
import { isFloat, type Tensor } from "../../tensor/inner.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

export interface PsnrOptions extends MetricOptions {
  /** The highest value that an image can have. Default: 255 for labels of whole numbers, else 1. */
  readonly peak?: number | undefined;
}

/** `10 · log10(peak² / mean (output − label)²)` of each sample. Labels are arrays with as many elements as the output has. */
export function psnr(options: PsnrOptions = {}): Metric<"arrays"> {
  const rows: Float64Array[] = [];
  let sum = 0;
  const mean = (total: number) => total / Math.max(rows.length, 1);
  return {
    name: "psnr",
    unit: "dB",
    better: "higher",
    labels: "arrays",
    see(outputs, _feeds, labels) {
      const tensor = judgedOutput(outputs, options.output);
      const found = numbersOf(tensor);
      const per = found.length / labels.size;
      for (let n = 0; n < labels.size; n++) {
        const label = labels.at(n);
        const truth = numbersOf(label);
        if (truth.length !== per) {
          throw new AvocetError(
            "data/wrong-shape",
            `expected labels with ${per} elements a sample, as the output [${tensor.shape.join(",")}] has, got ${truth.length}`,
            { at: labels.source ?? "labels" },
          );
        }
        const peak = options.peak ?? (isFloat(label.dtype) ? 1 : 255);
        let squares = 0;
        for (let i = 0; i < per; i++) squares += (Number(found[n * per + i]) - Number(truth[i])) ** 2;
        const ratio = 10 * Math.log10((peak ** 2 * per) / squares);
        rows.push(Float64Array.of(ratio));
        sum += ratio;
      }
    },
    value: () => mean(sum),
    tally: { rows, isShare: false, score: (sums) => mean(sums[0]!) },
  };
}

function numbersOf(tensor: Tensor): ArrayLike<number | bigint> {
  return isFloat(tensor.dtype) ? tensor.floats() : tensor.numbers();
}
