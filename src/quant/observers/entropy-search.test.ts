/** Entropy's search for a window next to one that does the same literally, on histograms of 64 bins. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { type Affine, affineOfRange, type GridChoice } from "../grids/range.ts";
import { divergenceOf, EntropyObserver } from "./entropy.ts";
import type { Histogram } from "./growing-histogram.ts";

/** Chooses for any histogram: those of what was seen have 2,048 bins. */
class OfHistogram extends EntropyObserver {
  chosen(choice: GridChoice, histogram: Histogram): Affine {
    return this.choose(choice, histogram);
  }
}

const width = 0.25;

/** Bin i covers [first + i, first + i + 1) widths; what was seen ends in the middle of the outermost bins that hold something. */
function histogramOf(counts: readonly number[], first: number): Histogram {
  const filled = counts.flatMap((count, i) => (count > 0 ? [i] : []));
  return {
    left: first * width,
    width,
    counts: Float64Array.from(counts),
    min: (first + filled[0]! + 0.5) * width,
    max: (first + filled.at(-1)! + 0.5) * width,
    count: counts.reduce((a, b) => a + b),
    zeros: 0,
  };
}

/** Numbers of one bin, named by its lower edge in widths: those that are merged, and those that stand out. */
interface Bin {
  readonly edge: number;
  readonly merged: number;
  readonly apart: number;
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** More than twice the larger neighbour and ten: what is above that neighbour recurs. */
function binsOf({ left, counts }: Histogram): Bin[] {
  return Array.from(counts, (count, i) => {
    const beside = Math.max(i > 0 ? counts[i - 1]! : 0, i < counts.length - 1 ? counts[i + 1]! : 0);
    const edge = left / width + i;
    return count > 2 * beside + 10
      ? { edge, merged: beside, apart: count - beside }
      : { edge, merged: count, apart: 0 };
  });
}

/** Every number counts half for itself and half for its negative; from −reach to reach. */
function onBothSides(bins: readonly Bin[], reach: number): Bin[] {
  return Array.from({ length: 2 * reach }, (_, i) => {
    const edge = i - reach;
    const both = bins.filter((bin) => bin.edge === edge || bin.edge === -edge - 1);
    return { edge, merged: sum(both.map((b) => b.merged)) / 2, apart: sum(both.map((b) => b.apart)) / 2 };
  });
}

/** Σ p · ln(p / q) over two lists of probabilities: of every bin of the window, and of every spike in it. */
function literalDivergence(bins: readonly Bin[], outside: readonly [number, number], levels: number): number {
  const inside = sum(bins.map((bin) => bin.merged + bin.apart));
  const total = inside + outside[0] + outside[1];
  const groupOf = (i: number) => Math.floor((i * levels) / bins.length);
  const means = Array.from({ length: levels }, (_, group) => {
    const merged = bins.flatMap((bin, i) => (groupOf(i) === group && bin.merged > 0 ? [bin.merged] : []));
    return sum(merged) / merged.length;
  });
  const p: number[] = [];
  const q: number[] = [];
  bins.forEach(({ merged, apart }, i) => {
    p.push((merged + (i === 0 ? outside[0] : 0) + (i === bins.length - 1 ? outside[1] : 0)) / total);
    q.push(merged > 0 ? means[groupOf(i)]! / inside : 1e-4 / total);
    p.push(apart / total);
    q.push(apart / inside);
  });
  return sum(p.map((share, i) => (share > 0 ? share * Math.log(share / q[i]!) : 0)));
}

/** Every window on the way, from all bins down to as many as there are levels; the first of those that diverge least. */
function literalRange(histogram: Histogram, levels: number, symmetric: boolean): readonly [number, number] {
  const [lowest, highest] = [Math.floor(histogram.min / width), Math.floor(histogram.max / width)];
  const reach = Math.max(-lowest, highest + 1);
  const [min, max] = symmetric
    ? [-Math.max(-histogram.min, histogram.max), Math.max(-histogram.min, histogram.max)]
    : [histogram.min, histogram.max];
  let bins = symmetric
    ? onBothSides(binsOf(histogram), reach)
    : binsOf(histogram).filter(({ edge }) => edge >= lowest && edge <= highest);
  let outside: readonly [number, number] = [0, 0];
  let best: readonly [number, number] = [min, max];
  let least = Number.POSITIVE_INFINITY;
  const size = (some: readonly Bin[]) => sum(some.map((bin) => bin.merged + bin.apart));
  while (bins.length >= levels) {
    const divergence = size(bins) === 0 ? Number.POSITIVE_INFINITY : literalDivergence(bins, outside, levels);
    if (divergence < least) {
      least = divergence;
      best = [Math.max(bins[0]!.edge * width, min), Math.min((bins.at(-1)!.edge + 1) * width, max)];
    }
    const [low, high] = [bins.slice(0, 2), bins.slice(-2)];
    // Zero, on the lower edge of the bin of that name, stays inside.
    const [mayLow, mayHigh] = [bins[0]!.edge <= -2, bins.at(-1)!.edge >= 2];
    if (symmetric) {
      outside = [outside[0] + size(low), outside[1] + size(high)];
      bins = bins.slice(2, -2);
    } else if (mayLow && (!mayHigh || size(low) <= size(high))) {
      outside = [outside[0] + size(low), outside[1]];
      bins = bins.slice(2);
    } else if (mayHigh) {
      outside = [outside[0], outside[1] + size(high)];
      bins = bins.slice(0, -2);
    } else break;
  }
  return best;
}

const choices = {
  "asymmetric 2": { choice: { bits: 2, symmetric: false }, levels: 3 },
  "asymmetric 3": { choice: { bits: 3, symmetric: false }, levels: 7 },
  "symmetric 3": { choice: { bits: 3, symmetric: true }, levels: 7 },
  "narrow 4": { choice: { bits: 4, symmetric: true, narrowRange: true }, levels: 14 },
  "asymmetric 4": { choice: { bits: 4, symmetric: false }, levels: 15 },
  "unsigned where nothing is negative": { choice: { bits: 3, symmetric: true, unsignedSymmetric: true }, levels: 7 },
} satisfies Record<string, { choice: GridChoice; levels: number }>;

/** Bells with long tails, holes, and bins that stand out by just enough, or just not; some end on the edge of a bin. */
function randomHistogram(seed: number): Histogram {
  const random = new Random(seed);
  const below = Math.floor(65 * random.uniform());
  const first = -[0, 0, 64, below, below, below][seed % 6]!;
  const center = 64 * random.uniform();
  const spread = 3 + 12 * random.uniform();
  const height = 10 ** (1 + 3 * random.uniform());
  const counts = Array.from({ length: 64 }, (_, i) =>
    random.uniform() < 0.15
      ? 0
      : Math.round(random.uniform() * (height * Math.exp(-(((i - center) / spread) ** 2) / 2) + 3)),
  );
  for (let spikes = Math.floor(5 * random.uniform()); spikes > 0; spikes--) {
    const i = 1 + Math.floor(62 * random.uniform());
    counts[i] = 2 * Math.max(counts[i - 1]!, counts[i + 1]!) + 10 + Math.floor(3 * random.uniform());
    if (random.uniform() < 0.4) counts[i]! += Math.round(height * random.uniform());
  }
  if (sum(counts) === 0) counts[5] = 1;
  const histogram = histogramOf(counts, first);
  return { ...histogram, max: histogram.max - (seed % 4 === 1 ? width / 2 : 0) };
}

describe.each(Object.entries(choices))("%s", (_, { choice, levels }) => {
  // What is wanted takes a hundred times longer than what is tested: it is computed once, however often a test runs.
  const withWanted = (histogram: Histogram): [Histogram, Affine] => {
    const symmetric = choice.symmetric && !("unsignedSymmetric" in choice && histogram.min >= 0);
    return [histogram, affineOfRange(...literalRange(histogram, levels, symmetric), choice)];
  };
  const expectLiteral = ([histogram, wanted]: [Histogram, Affine], what: string) => {
    const found = new OfHistogram().chosen(choice, histogram);
    expect(found.scale, what).toBeCloseTo(wanted.scale, 12);
    expect(found.offset, what).toBe(wanted.offset);
  };

  const random = Array.from({ length: 60 }, (_, seed) => withWanted(randomHistogram(seed)));
  test("random histograms", () => {
    for (const [seed, one] of random.entries()) expectLiteral(one, `seed ${seed}`);
  });

  const filled = (from: number, to: number, count: number) =>
    Array.from({ length: 64 }, (_, i) => (i >= from && i < to ? count : 0));
  const plus = (...lists: (readonly number[])[]) => lists[0]!.map((_, i) => sum(lists.map((list) => list[i]!)));
  const bell = filled(12, 52, 1000).map((count, i) => Math.round(count * Math.exp(-(((i - 31.5) / 6) ** 2) / 2)));
  const cases: Record<string, Histogram> = {
    "one bin": histogramOf(filled(40, 41, 1000), -32),
    "the bin of zero alone": histogramOf(filled(32, 33, 1000), -32),
    "even, of both signs": histogramOf(filled(0, 64, 100), -32),
    "even, positive": histogramOf(filled(0, 64, 100), 0),
    "even, negative": histogramOf(filled(0, 63, 100), -64),
    "a hump and a far tail": histogramOf(plus(filled(24, 40, 1000), filled(60, 64, 1)), -32),
    "a hump and a tail of holes": histogramOf(
      plus(
        filled(24, 40, 1000),
        filled(0, 64, 1).map((one, i) => (i % 3 === 0 ? one : 0)),
      ),
      -32,
    ),
    "tails on both sides that weigh the same": histogramOf(plus(filled(26, 38, 500), filled(0, 64, 2)), -32),
    "zeros between": histogramOf(plus(filled(2, 20, 300), filled(44, 62, 300)), -32),
    "recurring numbers in the tails": histogramOf(
      plus(filled(20, 44, 400), filled(5, 6, 90), filled(59, 60, 90), filled(0, 64, 1)),
      -32,
    ),
    "the lowest number on the edge of its bin": {
      ...histogramOf(plus(bell, filled(0, 1, 1)), -32),
      min: -32 * width,
    },
    "the highest number on the edge of its bin": {
      ...histogramOf(plus(bell, filled(59, 60, 1)), -32),
      max: 27 * width,
    },
    // In its window the far pair lies in a group with the hump, and without it all windows down to the hump diverge as much.
    "a gap in which windows diverge equally": histogramOf(plus(filled(0, 45, 1000), filled(58, 60, 1)), 0),
    "as many bins as levels": histogramOf(filled(30, 30 + levels, 7), -32),
    "one bin less than levels": histogramOf(filled(30, 29 + levels, 7), -32),
  };
  test.each(Object.entries(cases).map(([name, histogram]) => [name, withWanted(histogram)] as const))(
    "%s",
    (name, one) => expectLiteral(one, name),
  );
});

test("half as many levels as bins keep everything, one fewer does not", () => {
  const choice = { bits: 4, symmetric: false };
  const tailed = (bins: number) =>
    histogramOf(
      Array.from({ length: bins }, (_, i) => (i < 18 ? 1000 + 100 * (i % 2) : i % 4 === 0 ? 1 : 0)).with(-1, 1),
      0,
    );
  const [half, fewer] = [tailed(30), tailed(31)];
  expect(new OfHistogram().chosen(choice, half)).toEqual(affineOfRange(half.min, half.max, choice));
  expect(new OfHistogram().chosen(choice, fewer).scale).toBeLessThan(affineOfRange(fewer.min, fewer.max, choice).scale);
});

test("what was seen stays as it was: spikes are taken from a copy", () => {
  const histogram = randomHistogram(1);
  const before = [...histogram.counts];
  new OfHistogram().chosen({ bits: 3, symmetric: false }, histogram);
  expect([...histogram.counts]).toEqual(before);
});

test("the divergence of any window is that of the two lists of probabilities", () => {
  const random = new Random(9);
  for (let seed = 0; seed < 60; seed++) {
    const bins = binsOf(randomHistogram(seed));
    const start = Math.floor(20 * random.uniform());
    const stop = 40 + Math.floor(24 * random.uniform());
    const window = bins.slice(start, stop + 1);
    const onLevels = sum(window.map((bin) => bin.apart));
    if (sum(window.map((bin) => bin.merged)) + onLevels === 0) continue;
    const [below, above] = [Math.floor(5 * random.uniform()), Math.floor(50 * random.uniform())];
    const counts = Float64Array.from(bins, (bin) => bin.merged);
    const found = divergenceOf({ counts, start, stop, below, above, onLevels }, 7);
    expect(found).toBeCloseTo(literalDivergence(window, [below, above], 7), 11);
  }
  const counts = new Float64Array(8);
  expect(divergenceOf({ counts, start: 0, stop: 7, below: 3, above: 4, onLevels: 0 }, 3)).toBe(Infinity);
});
