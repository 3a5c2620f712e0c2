/** Peak signal-to-noise ratio of images, in dB: the mean over samples, as papers on super-resolution report it. */
import type { Metric, MetricOptions } from "./metric.ts";
import { meanOfSamples, peakRatio } from "./signal-figures.ts";
import { imageView } from "./views.ts";

export interface PsnrOptions extends MetricOptions {
  /** The highest value that an image can have. Default: 255 for labels of whole numbers, else 1. */
  readonly peak?: number | undefined;
}

/** `10 · log10(peak² / mean (output − label)²)` of each sample. Labels are arrays with as many elements as the output has. */
export function psnr(options: PsnrOptions = {}): Metric<"arrays"> {
  return meanOfSamples(
    { name: "psnr", unit: "dB", better: "higher", labels: "arrays" },
    (found, truth, isWhole) => peakRatio(found, truth, options.peak ?? (isWhole ? 255 : 1)),
    options,
    imageView,
  );
}
