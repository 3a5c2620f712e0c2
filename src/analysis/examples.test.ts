import { describe, expect, test } from "vitest";
import { maskLabels, textTruths } from "../data/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { Examples } from "./examples.ts";
import { type BatchLabels, type Metric, meanIoU } from "./inner.ts";
import { viewDifference } from "./metrics/view-difference.ts";
import { boxView, imageView, maskView, signalView, type View } from "./metrics/views.ts";

describe("views", () => {
  test("an image in 16 greys, small, whatever its axes", () => {
    const planes = imageView(
      [1, 8, 16],
      Array.from({ length: 128 }, (_, i) => i),
    )!;
    expect(planes.cells).toMatchObject({ width: 16, height: 8 });
    expect([planes.cells.digits[0], planes.cells.digits.at(-1)]).toEqual(["0", "f"]);
    const last = imageView(
      [8, 16, 3],
      Array.from({ length: 384 }, (_, i) => Math.floor(i / 3)),
    )!;
    expect(last).toEqual(planes);
    const large = imageView([3, 300, 600], new Float32Array(540_000))!.cells;
    expect([large.width, large.height, large.digits.length]).toEqual([64, 32, 64 * 32]);
    expect(imageView([1, 4, 4], new Float32Array(16))).toBeNull();
    expect(imageView([85, 22, 22], new Float32Array(85 * 484))).toBeNull();
  });

  test("a mask knows the class of each digit; more than 35 share the last", () => {
    expect(maskView([7, 7, 2, 9], 2, 2)).toEqual({ kind: "mask", cells: { width: 2, height: 2, digits: "0012" }, classes: [7, 2, 9] }); // biome-ignore format: one thought
    const many = maskView(
      Array.from({ length: 49 }, (_, i) => i),
      7,
      7,
    ) as View & { kind: "mask" };
    expect([many.classes.length, many.cells.digits.at(-1)]).toEqual([35, "z"]);
  });

  test("a signal by the lowest and highest of each stretch", () => {
    const view = signalView(Float32Array.from({ length: 3200 }, (_, i) => (i % 20 === 0 ? 1 : -0.5))) as View & { kind: "signal" }; // biome-ignore format: one thought
    expect([view.low.length, view.low[3], view.high[3]]).toEqual([160, -0.5, 1]);
    expect(signalView([1, 2])).toEqual({ kind: "signal", low: [1, 2], high: [1, 2] });
  });

  test("differences: none of equal ones, by what each kind is about", () => {
    const text = (one: string): View => ({ kind: "text", text: one });
    expect(viewDifference(text("kitten"), text("sitting"))).toBeCloseTo(3 / 7, 12);
    const box = (x1: number, score = 0.9) => ({ class: 1, x1, y1: 0, x2: x1 + 0.2, y2: 1, score });
    expect(viewDifference(boxView([box(0), box(0.5)]), boxView([box(0.01)]))).toBeCloseTo(1 / 3, 12);
    // Weak guesses are not drawn.
    expect(viewDifference(boxView([box(0)]), boxView([box(0), box(0.5, 0.1)]))).toBe(0);
    // The same classes under other digits.
    expect(viewDifference(maskView([3, 5, 5, 5], 2, 2), maskView([5, 3, 5, 5], 2, 2))).toBe(0.5);
    expect(viewDifference(signalView([3, 4]), signalView([3, 4]))).toBe(0);
    expect(viewDifference(signalView([3, 4]), signalView([0, 0]))).toBe(1);
    expect(viewDifference(text("a"), signalView([1]))).toBe(1);
  });
});

/** A metric that shows a text for each sample. */
const saying = (texts: readonly string[]): Metric => ({
  name: "said",
  unit: "%",
  better: "higher",
  labels: "texts",
  see: () => {},
  value: () => 0,
  show: (_, { first, size }) =>
    texts.slice(first, first + size).map((text) => ({ found: { kind: "text", text }, truth: null })),
});

describe("examples", () => {
  const see = (examples: Examples, metrics: readonly Metric[], count: number) => {
    for (let first = 0; first < count; first += 2) {
      const size = Math.min(2, count - first);
      const labels: BatchLabels["texts"] = { ...textTruths(["x"], "test"), first, size };
      examples.see(metrics, [{}, {}], { feeds: { x: Tensor.float32([size, 1, 8, 8], new Float32Array(64 * size)) }, first, size }, labels); // biome-ignore format: one thought
    }
  };

  test("those that differ most, then the first of the data, six in all, with their inputs", () => {
    const count = 40;
    const float = Array.from({ length: count }, () => "aaaa");
    const other = float.map((text, i) => ({ 7: "bbbb", 20: "aabb", 31: "aaab", 33: "abbb", 1: "aaab" })[i] ?? text);
    const examples = new Examples();
    see(examples, [saying(float), saying(other)], count);
    expect(examples.list().map(({ sample, difference }) => [sample, difference])).toEqual([[7, 1], [33, 0.75], [20, 0.5], [0, 0], [1, 0.25], [2, 0]]); // biome-ignore format: pairs
    expect(examples.list()[0]!.input).toMatchObject({ width: 8, height: 8 });
  });

  test("a metric with nothing to see leaves none, one with unknown views is refused", () => {
    const { show: _, ...blind } = saying(["a"]);
    const examples = new Examples();
    see(examples, [blind, blind], 2);
    expect(examples.list()).toEqual([]);
    const odd = { ...saying(["a"]), show: () => [{ found: { kind: "smell" }, truth: null }] } as unknown as Metric;
    expect(() => see(examples, [odd, odd], 2)).toThrow(/expected views of text, boxes/);
  });

  test("samples far behind are not looked at again", () => {
    const examples = new Examples();
    const texts = Array.from({ length: 300 }, () => "a");
    const other = texts.map((text, i) => (i === 250 ? "b" : text));
    see(examples, [saying(texts), saying(other)], 300);
    expect(examples.list().map(({ sample }) => sample)).toEqual([0, 1, 2]);
  });

  test("masks: what was chosen next to what is true", () => {
    const labels: BatchLabels["masks"] = {
      ...maskLabels(Uint8Array.of(0, 1, 1, 0), [1, 2, 2], "test"),
      first: 0,
      size: 1,
    };
    const y = Tensor.float32([1, 2, 2, 2], [9, 0, 0, 0, 0, 9, 9, 9]);
    const [shown] = meanIoU().show!({ y }, labels);
    expect(shown!.found).toMatchObject({ cells: { digits: "0111" }, classes: [0, 1] });
    expect(shown!.truth).toMatchObject({ cells: { digits: "0110" } });
  });
});
