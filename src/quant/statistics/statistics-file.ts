/**
 * What was seen of the values of a float model, as plain data: quantization finds ranges from it where the data itself may not go. It holds ends and
 * histograms, never samples.
 */
import type { KeptHistogram } from "../observers/growing-histogram.ts";

/** What was seen of one value. Without a histogram only its ends are known, which is what min-max needs. */
export interface SeenValue {
  readonly min: number;
  readonly max: number;
  /** Numbers seen. */
  readonly count: number;
  readonly histogram?: Pick<KeptHistogram, "exponent" | "origin" | "counts" | "zeros"> | undefined;
}

export interface Statistics {
  readonly version: 1;
  /** Samples that were run. */
  readonly samples: number;
  /** By the names of the normalised float model (those of `avocet plan`). */
  readonly values: Readonly<Record<string, SeenValue>>;
}

/** As text: JSON, a value a line, so that two files can be compared. */
export function statisticsToJson({ version, samples, values }: Statistics): string {
  const lines = Object.entries(values).map(([name, seen]) => `${JSON.stringify(name)}: ${JSON.stringify(seen)}`);
  return `{"version": ${version}, "samples": ${samples}, "values": {\n${lines.join(",\n")}\n}}\n`;
}
