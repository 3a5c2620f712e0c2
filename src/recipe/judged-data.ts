/** On which samples a result is judged, and how many of them the run itself had used. */
import { type Dataset, parseSelection, samples } from "../data/inner.ts";
import type { JudgedOn } from "../report/inner.ts";
import { noiseData } from "./noise-inputs.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import type { Judging } from "./score.ts";

export interface JudgedData {
  readonly data: Dataset;
  readonly on: Omit<JudgedOn, "samples">;
}

/** What the run learned its ranges or weights from. */
export interface UsedData {
  /** Where it lies, whichever part of it: the same text for the same data. Undefined: nobody knows. */
  readonly place: string | undefined;
  readonly data: Dataset;
  /** The part that calibration took. Training takes all. */
  readonly part: string | number;
  readonly by: "calibration" | "training";
}

/** Held-out samples are taken where there are at least so many. */
const enough = 20;

/** Samples on which the result is compared with float and with its simulation. */
const verifySamples = 200;

/** The same without data: noise is needed for kernels and latencies only. */
const noiseSamples = 16;

/** The samples that judge, else those of the run's own data, else noise; null where no noise can be made. */
export function judgedDataOf({
  judging,
  data,
  used,
  quantized,
  recipe,
}: {
  readonly judging: Judging | null;
  readonly data: Dataset | null;
  readonly used: UsedData | null;
  readonly quantized: Quantized;
  readonly recipe: Recipe;
}): JudgedData | null {
  if (judging) return judgedOnOther(judging.place, judging.data, used, verifySamples);
  if (used) return judgedOnOwn(used, verifySamples);
  if (data) return { data: samples(data, verifySamples), on: { data: "held-out", seen: 0 } };
  const noise = noiseData(quantized, recipe, noiseSamples);
  return noise ? { data: noise, on: { data: "noise", seen: 0 } } : null;
}

/** Of the run's own data the samples that it did not use, or all of them where those are too few; at most `most`. */
export function judgedOnOwn(used: UsedData, most: string | number): JudgedData {
  const { data, part, by } = used;
  const { count } = data;
  const selection = parseSelection(part);
  if (by === "calibration" && count !== null) {
    const taken = samples(data, selection).count ?? count;
    if (count - taken >= enough) {
      const others = {
        text: `all but ${selection.text}`,
        has: (index: number, of: number) => !selection.has(index, of),
        end: Number.POSITIVE_INFINITY,
        needsCount: true,
      };
      return { data: samples(samples(data, others), most), on: { data: "held-out", seen: 0 } };
    }
  }
  const judged = samples(data, most);
  return { data: judged, on: { data: by, seen: overlapOf(used, judged, used.place) } };
}

/** Samples of other data: those that the run used, too, are counted where both are parts of the same data. */
export function judgedOnOther(
  place: string | undefined,
  data: Dataset,
  used: UsedData | null,
  most: string | number,
): JudgedData {
  const judged = samples(data, most);
  const seen = used ? overlapOf(used, judged, place) : 0;
  const isOwn = used !== null && seen > 0;
  return { data: judged, on: { data: isOwn ? used.by : "evaluation", seen } };
}

/** How many of the judged samples were used. Where only iterating reports how many there are, all of the same data count. */
function overlapOf({ place, data, part, by }: UsedData, judged: Dataset, other: string | undefined): number {
  if (place === undefined || place !== other) return 0;
  const taken = by === "training" ? data : samples(data, part);
  const [numbers, others] = [numbersOf(taken), numbersOf(judged)];
  if (!numbers || !others) return judged.count ?? 1;
  const known = new Set(numbers);
  return others.filter((number) => known.has(number)).length;
}

/** The numbers of a part's samples in the whole; undefined where they are not known yet. */
function numbersOf({ count, origin }: Dataset): number[] | undefined {
  if (count === null) return undefined;
  return Array.from({ length: count }, (_, i) => (origin ? origin.of(i) : i));
}
