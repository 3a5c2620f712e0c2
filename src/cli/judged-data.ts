/** On which samples a result is judged, and how many of them the run itself had used. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type Dataset, parseSelection, samples } from "../data/index.ts";
import { parseDataSpec } from "../data/node/index.ts";
import type { JudgedOn } from "../report/index.ts";

export interface JudgedData {
  readonly data: Dataset;
  readonly on: Omit<JudgedOn, "samples">;
}

/** What the run learned its ranges or weights from. */
export interface UsedData {
  /** Where it is, as `--data` takes it; undefined: a program's own. */
  readonly spec: string | undefined;
  readonly data: Dataset;
  /** The part that calibration took. Training takes all. */
  readonly part: string | number;
  readonly by: "calibration" | "training";
}

/** Held-out samples are taken where there are at least so many. */
const enough = 20;

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
  return { data: judged, on: { data: by, seen: overlapOf(used, judged, used.spec) } };
}

/** The samples of `--evaluate`: those that the run used, too, are counted where both are parts of the same data. */
export function judgedOnOther(spec: string, data: Dataset, used: UsedData | null, most: string | number): JudgedData {
  const judged = samples(data, most);
  const seen = used ? overlapOf(used, judged, spec) : 0;
  const isOwn = used !== null && seen > 0;
  return { data: judged, on: { data: isOwn ? used.by : "evaluation", seen } };
}

/** How many of the judged samples were used. Where only iterating tells how many there are, all of the same data count. */
function overlapOf({ spec, data, part, by }: UsedData, judged: Dataset, judgedSpec: string | undefined): number {
  if (spec === undefined || judgedSpec === undefined || placeOf(spec) !== placeOf(judgedSpec)) return 0;
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

/** What a specification names, whichever part of it: links and relative paths resolved. */
function placeOf(spec: string): string {
  const { path } = parseDataSpec(spec);
  if (path.startsWith("{")) return path;
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
