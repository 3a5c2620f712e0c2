/** From an output to the boxes that it stands for: decoded, scored, and thinned out. */
import { AvocetError } from "../../base/inner.ts";
import type { Box, BoxLabels } from "../../data/inner.ts";
import type { Feeds, Tensor } from "../../tensor/inner.ts";
import type { BoxDecoding } from "./decoding.ts";
import { judgedOutput } from "./metric.ts";

export interface FoundBox extends Box {
  readonly score: number;
}

/** Boxes of one image that are compared with each other: all of a large detector, the best of one that is damaged. */
const mostCompared = 4096;

/** The boxes of each of `size` samples, the best first. Throws `data/wrong-shape`. */
export function decodeBoxes(
  outputs: Feeds,
  size: number,
  decoding: BoxDecoding,
  output: string | undefined,
): FoundBox[][] {
  const scores = rowsOf(judgedOutput(outputs, decoding.scoreOutput ?? output), size, decoding.axis);
  const places =
    decoding.boxOutput === undefined ? scores : rowsOf(judgedOutput(outputs, decoding.boxOutput), size, decoding.axis);
  const numbers = Math.max(...decoding.box) + 1;
  if (places.numbers < numbers || scores.numbers <= Math.max(decoding.classes, decoding.object ?? 0)) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected at least ${Math.max(numbers, decoding.classes + 1)} numbers a box on axis ${decoding.axis}, got ${Math.min(places.numbers, scores.numbers)}`,
      { hint: "--decode says on which axis they lie and which they are" },
    );
  }
  if (places.count !== scores.count) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected as many boxes as scores, got ${places.count} and ${scores.count}`,
    );
  }
  return Array.from({ length: size }, (_, n) => {
    const found: FoundBox[] = [];
    for (let i = 0; i < scores.count; i++) {
      const scored = bestClass(scores, n, i, decoding);
      if (scored.score >= decoding.least) found.push({ ...scored, ...boxAt(places, n, i, decoding) });
    }
    found.sort((a, b) => b.score - a.score);
    return suppressed(found.slice(0, mostCompared), decoding.overlap).slice(0, decoding.most);
  });
}

interface Rows {
  at(sample: number, box: number, number: number): number;
  /** Boxes of a sample. */
  readonly count: number;
  /** Numbers of a box. */
  readonly numbers: number;
  /** Lengths of the last two axes, which boxes are counted along. */
  readonly grid: readonly [height: number, width: number];
}

function rowsOf(tensor: Tensor, size: number, axis: number): Rows {
  const { shape } = tensor;
  if (shape[0] !== size || axis >= shape.length || shape.length < 3) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected [${size}, …] with the numbers of a box on axis ${axis}, got [${shape.join(",")}]`,
      { hint: "--decode says on which axis they lie" },
    );
  }
  const values = tensor.floats();
  const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
  const inner = product(shape.slice(axis + 1));
  const outer = product(shape.slice(1, axis));
  const numbers = shape[axis]!;
  const [height = 1, width = 1] = shape.filter((_, i) => i !== axis).slice(-2);
  return {
    count: outer * inner,
    numbers,
    grid: [height, width],
    at(sample, box, number) {
      const row = (sample * outer + Math.floor(box / inner)) * numbers + number;
      return values[row * inner + (box % inner)]!;
    },
  };
}

function bestClass(rows: Rows, sample: number, box: number, { classes, object, scores, powers }: BoxDecoding) {
  const read = (number: number) => applied(scores, rows.at(sample, box, number));
  let best = classes;
  for (let c = classes + 1; c < rows.numbers; c++) {
    if (rows.at(sample, box, c) > rows.at(sample, box, best)) best = c;
  }
  const objectness = object === undefined ? 1 : read(object) ** powers[0];
  return { class: best - classes, score: objectness * read(best) ** powers[1] };
}

function boxAt(rows: Rows, sample: number, index: number, decoding: BoxDecoding) {
  const { box, form, position, size, cells, divide } = decoding;
  const [height, width] = rows.grid;
  const [a, b, c, d] = box.map((number) => rows.at(sample, index, number)) as [number, number, number, number];
  let [x, y] = [applied(position, a), applied(position, b)];
  if (cells) {
    x = ((index % width) + x) / width;
    y = ((Math.floor(index / width) % height) + y) / height;
  }
  const [p, q] = [applied(size, c), applied(size, d)];
  const [x1, y1, x2, y2] = form === "corners" ? [x, y, p, q] : [x - p / 2, y - q / 2, x + p / 2, y + q / 2];
  return { x1: x1 / divide[0], y1: y1 / divide[1], x2: x2 / divide[0], y2: y2 / divide[1] };
}

function applied(how: "none" | "sigmoid" | "tanh" | "exp", x: number): number {
  if (how === "sigmoid") return 1 / (1 + Math.exp(-x));
  if (how === "tanh") return Math.tanh(x);
  return how === "exp" ? Math.exp(x) : x;
}

/** Greedy non-maximum suppression within each class. */
function suppressed(sorted: readonly FoundBox[], overlap: number): FoundBox[] {
  const kept = new Map<number, FoundBox[]>();
  return sorted.filter((one) => {
    const same = kept.get(one.class) ?? [];
    if (same.some((other) => intersectionOverUnion(one, other) > overlap)) return false;
    kept.set(one.class, [...same, one]);
    return true;
  });
}

/** Of a crowd, COCO takes what of the first box lies in it instead of the union. */
export function intersectionOverUnion(a: Box, b: Box, isCrowd = false): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  const areaOf = ({ x1, y1, x2, y2 }: Box) => (x2 - x1) * (y2 - y1);
  return shared / (isCrowd ? areaOf(a) : areaOf(a) + areaOf(b) - shared);
}

/** From shares of a letterboxed input to shares of the image in it, whose size the labels know. Throws `data/labels`. */
export function fromLetterbox(
  found: readonly FoundBox[],
  input: readonly [width: number, height: number],
  labels: BoxLabels,
  sample: number,
): FoundBox[] {
  const size = labels.imageSize?.(sample);
  if (!size) {
    throw new AvocetError("data/labels", "expected the width and height of each letterboxed image, got none", {
      at: labels.source ?? "labels",
      hint: '{"images": [{"width": 640, "height": 480, "boxes": […]}]}',
    });
  }
  const scale = Math.min(input[0] / size[0], input[1] / size[1]);
  const [width, height] = [size[0] * scale, size[1] * scale];
  const x = (share: number) => (share * input[0] - (input[0] - width) / 2) / width;
  const y = (share: number) => (share * input[1] - (input[1] - height) / 2) / height;
  return found.map((box) => ({ ...box, x1: x(box.x1), y1: y(box.y1), x2: x(box.x2), y2: y(box.y2) }));
}

/** What of a box lies in the image: people draw no other. */
export function withinImage(box: FoundBox): FoundBox {
  const clip = (x: number) => Math.min(1, Math.max(0, x));
  return { ...box, x1: clip(box.x1), y1: clip(box.y1), x2: clip(box.x2), y2: clip(box.y2) };
}
