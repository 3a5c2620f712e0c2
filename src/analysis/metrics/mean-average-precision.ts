/** Mean average precision of detectors, over the classes that occur in the labels. */
import { AvocetError } from "../../base/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";
import { averagePrecision, type ClassTally, emptyTally, match } from "./average-precision.ts";
import { decodeBoxes, fromLetterbox, withinImage } from "./box-decoder.ts";
import type { BatchLabels, Metric, MetricOptions } from "./metric.ts";
import { boxView } from "./views.ts";

export interface PrecisionOptions extends MetricOptions {
  /** Intersection over union from which a box counts as found; several are averaged. Default: 0.5, 0.55 … 0.95. */
  readonly overlaps?: readonly number[];
  /** How precision is averaged over recall. Default "points". */
  readonly over?: "points" | "area";
  readonly name?: string;
}

const coco = Array.from({ length: 10 }, (_, i) => (50 + 5 * i) / 100);

/** Scores of detections that are kept until the end, because precision is of all of them in one order: 100 of each of 100,000 images. */
const mostDetections = 10_000_000;

/** Boxes come from outputs as `decode` says. There is no interval: the figure is no sum over samples. */
export function meanAveragePrecision(options: PrecisionOptions = {}): Metric<"boxes"> {
  const { overlaps = coco, over = "points", name = "map", decode, output } = options;
  const tallies = new Map<number, ClassTally>();
  let kept = 0;
  /** Of the batch that was seen last: what is shown of it has the same. */
  let inputs: readonly [number, number] = [1, 1];
  const of = (label: number) => {
    const known = tallies.get(label) ?? emptyTally();
    tallies.set(label, known);
    return known;
  };
  const found = (outputs: Feeds, feeds: Feeds | null, labels: BatchLabels["boxes"]) => {
    if (!decode || !("boxes" in decode)) {
      throw new AvocetError("usage/missing", "expected how outputs become boxes, got nothing", {
        at: "--decode",
        hint: '--decode FILE with {"boxes": {"box": [1, 2, 3, 4], "classes": 5}}: docs/judging.md',
      });
    }
    const images = decodeBoxes(outputs, labels.size, decode.boxes, output);
    if (decode.boxes.letterbox && feeds) inputs = inputSize(feeds);
    return images.map((boxes, n) =>
      (decode.boxes.letterbox ? fromLetterbox(boxes, inputs, labels, n) : boxes).map(withinImage),
    );
  };
  return {
    name,
    unit: "%",
    better: "higher",
    labels: "boxes",
    see(outputs, feeds, labels) {
      for (const [n, boxes] of found(outputs, feeds, labels).entries()) {
        const truth = labels.at(n);
        kept += boxes.length;
        if (kept > mostDetections) throw tooMany();
        for (const label of new Set([...boxes, ...truth].map((box) => box.class))) {
          const is = (box: { readonly class: number }) => box.class === label;
          match(of(label), boxes.filter(is), truth.filter(is), overlaps);
        }
      }
    },
    value() {
      const precisions = [...tallies.values()].flatMap((tally) =>
        overlaps.map((_, t) => averagePrecision(tally, t, over)).filter((one) => one !== null),
      );
      return precisions.reduce((sum, one) => sum + one, 0) / Math.max(precisions.length, 1);
    },
    show: (outputs, labels) =>
      found(outputs, null, labels).map((boxes, n) => ({ found: boxView(boxes), truth: boxView(labels.at(n)) })),
  };
}

function tooMany(): AvocetError {
  return new AvocetError("data/too-large", `expected at most ${mostDetections} boxes in all, got more`, {
    hint: 'judge on fewer samples, or with a larger "least" in --decode',
  });
}

/** The larger two lengths of an image input, which are not its channels. */
function inputSize(feeds: Readonly<Record<string, { readonly shape: readonly number[] }>>): readonly [number, number] {
  const shape = Object.values(feeds).find((tensor) => tensor.shape.length === 4)?.shape ?? [1, 1, 1, 1];
  const isLast = shape[3]! <= 4 && shape[1]! > 4;
  return isLast ? [shape[2]!, shape[1]!] : [shape[3]!, shape[2]!];
}
