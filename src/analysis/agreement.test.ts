/** Agreement: only of what holds classes, over the right axis, with what one decision is about. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../tensor/inner.ts";
import { Agreement, type OutputMeaning } from "./inner.ts";

const scores = (axis: number, more: Partial<OutputMeaning> = {}): OutputMeaning =>
  ({ kind: "scores", axis, joint: false, sure: true, why: "said so", ...more }) as OutputMeaning;

/** Agreement of batches of one output. */
function seen(meaning: OutputMeaning, batches: readonly (readonly [Tensor, Tensor])[]): Agreement {
  const agreement = new Agreement(new Map([["y", meaning]]));
  for (const [a, b] of batches) agreement.see("y", a, b, a.shape[0] ?? 1);
  return agreement;
}

const agree = (shape: readonly number[], a: readonly number[], b: readonly number[], meaning = scores(1)) =>
  seen(meaning, [[Tensor.float32(shape, a), Tensor.float32(shape, b)]]);

describe("agreement", () => {
  test("is the share of decisions with the same winner", () => {
    const found = agree([2, 3], [1, 2, 3, 3, 2, 1], [0, 0, 9, 0, 9, 0]);
    expect([found.value(), found.unit(), found.choices()]).toEqual([0.5, "samples", 2]);
    const pixels = agree([1, 2, 2, 2], [1, 1, 0, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 1, 1, 1]);
    expect([pixels.value(), pixels.unit()]).toEqual([0.75, "pixels"]);
  });

  test("over the axis that was said: [batch, time, classes] and [batch, classes, time] are not the same", () => {
    const [a, b] = [[0, 1, 5, 4, 0, 9], [1, 0, 5, 4, 0, 9]]; // biome-ignore format: two positions of three classes
    const last = agree([1, 2, 3], a, b, scores(-1));
    expect([last.value(), last.unit()]).toEqual([1, "positions"]);
    expect(agree([1, 2, 3], a, b, scores(1)).value()).toBeCloseTo(1, 12);
    expect(agree([1, 2, 3], [0, 1, 5, 4, 0, 9], [0, 1, 5, 4, 9, 0], scores(-1)).value()).toBe(0.5);
  });

  test.each([
    [[2, 3, 1, 1], scores(1)],
    [[2, 1, 1, 3], scores(1)],
    [[2, 1, 3], scores(1)],
    [[2, 3, 1, 1], scores(1, { joint: true })],
  ] as const)("axes of one element around the classes are no classes: %j", (shape, meaning) => {
    const found = agree(shape, [1, 2, 3, 3, 2, 1], [0, 0, 9, 0, 9, 0], meaning);
    expect([found.value(), found.unit()]).toEqual([0.5, "samples"]);
  });

  test("class numbers are compared as they are", () => {
    const numbers = (values: readonly number[]) => Tensor.int64([2, 2, 2], values);
    const found = seen({ kind: "choices", why: "ArgMax" }, [
      [numbers([0, 1, 2, 3, 4, 5, 6, 7]), numbers([0, 1, 2, 3, 4, 5, 0, 0])],
    ]);
    expect([found.value(), found.unit()]).toEqual([0.75, "pixels"]);
  });

  test("ties are decisions where several classes share the highest score on either side", () => {
    const rows = (values: readonly (readonly number[])[]) => Tensor.float32([values.length, 3], values.flat());
    const agreement = new Agreement(new Map([["y", scores(1)]]));
    agreement.see("y", rows([[1, 5, 5], [5, 1, 5], [1, 2, 3], [7, 7, 1]]), rows([[1, 5, 4], [5, 1, 4], [1, 3, 3], [6, 7, 1]]), 4); // biome-ignore format: matrices
    expect([agreement.value(), agreement.ties()]).toEqual([0.5, 1]);
    agreement.see("y", rows([[1, 1, 2]]), rows([[0, 0, 1]]), 1);
    expect([agreement.value(), agreement.ties()]).toEqual([0.6, 0.8]);
    expect(new Agreement(new Map()).ties()).toBeNull();
  });

  test("NaN agrees with nothing, not even with NaN", () => {
    expect(agree([2, 2], [Number.NaN, 0, 0, 1], [Number.NaN, 0, 0, 1]).value()).toBe(0.5);
  });

  test("what holds no classes has none, and says why", () => {
    expect(agree([3], [1, 2, 3], [1, 2, 3]).value()).toBeNull();
    expect(agree([3, 1], [1, 2, 3], [1, 2, 3]).value()).toBeNull();
    const box = agree([2, 2], [1, 2, 3, 4], [1, 2, 3, 4], { kind: "numbers", why: "Sigmoid ends it" });
    expect([box.value(), box.unit(), box.interval(), box.why()]).toEqual([null, null, null, ["y: Sigmoid ends it"]]);
  });

  test("one decision a sample has Wilson's interval; pixels are drawn with their samples", () => {
    const rows = Array.from({ length: 10 }, (_, n) => (n < 8 ? [1, 0] : [0, 1])).flat();
    const found = agree([10, 2], Array.from({ length: 10 }, () => [1, 0]).flat(), rows);
    expect(found.value()).toBe(0.8);
    // R: binom::binom.wilson(8, 10)
    expect(found.interval()!.map((end) => end.toFixed(4))).toEqual(["0.4902", "0.9433"]);
    // Ten pictures of 100 equal pixels each: as uncertain as ten samples, not as a thousand.
    const pixels = (values: readonly number[]) =>
      Tensor.float32(
        [10, 2, 10, 10],
        values.flatMap((v) => [...new Array<number>(100).fill(v), ...new Array<number>(100).fill(1 - v)]),
      );
    const clustered = seen(scores(1), [
      [pixels(new Array<number>(10).fill(1)), pixels([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])],
    ]).interval()!;
    expect(clustered[1] - clustered[0]).toBeGreaterThan(0.35);
  });
});

describe("outputs that are only likely to hold classes", () => {
  const likely = scores(-1, { sure: false });
  /** Rows of n numbers by a function of row and column. */
  const rows = (classes: number, at: (row: number, column: number) => number) =>
    Tensor.float32([40, classes], Float32Array.from({ length: 40 * classes }, (_, i) => at(Math.floor(i / classes), i % classes))); // biome-ignore format: one call

  test.each([
    ["logits of a classifier", (row: number, c: number) => (c === row % 10 ? 6 : Math.sin(c + row)), true],
    ["an embedding", (row: number, c: number) => Math.sin(7 * row + 13 * c) / Math.sqrt(10), false],
    ["coordinates between 0 and 1", (row: number, c: number) => 0.5 + 0.4 * Math.sin(row + c), false],
    ["coordinates in pixels", (row: number, c: number) => 100 + 50 * Math.sin(row + c), false],
    ["the same winner always", (_: number, c: number) => (c === 3 ? 9 : -1), false],
  ])("%s", (_, at, holds) => {
    const numbers = rows(10, at);
    const agreement = seen(likely, [[numbers, numbers]]);
    expect(agreement.value()).toBe(holds ? 1 : null);
    if (!holds) expect(agreement.why()[0]).toMatch(/do not decide like scores/);
  });

  test("pixels are never only likely", () => {
    const logits = Tensor.float32([1, 3, 2, 2], [9, -1, -1, -1, -1, 9, -1, -1, -1, -1, 9, 9]);
    expect(seen(scores(1, { sure: false }), [[logits, logits]]).value()).toBeNull();
  });
});

test("what outputs hold is read from the float scores: on a grid of two steps the same decisions look like no scores", () => {
  const likely = new Map([["y", scores(1, { sure: false })]]);
  const float = Tensor.float32([2, 3], [-2, 6, -1, 5, -3, -2]);
  const coarse = Tensor.float32([2, 3], [0, 1, 0, 1, 0, 0]);
  const confirmed = new Agreement(likely);
  confirmed.see("y", coarse, float, 2);
  const [alone, told] = [new Agreement(likely), new Agreement(likely, confirmed)];
  for (const agreement of [alone, told]) agreement.see("y", coarse, coarse, 2);
  expect([confirmed.value(), alone.value(), told.value()]).toEqual([1, null, 1]);
});
