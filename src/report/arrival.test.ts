/** The share of what was saved by hand, and when it is said. */
import { expect, test } from "vitest";
import { arrivalNote, arrivalText, arrivedShare } from "./arrival.ts";

const at = (macs: number, after: number, losses?: readonly [string, number, number][]) => ({
  cost: { before: { macs: 1000 }, after: { macs } },
  latencyMs: {
    before: 2,
    after,
    ...(losses && { losses: losses.map(([kernel, float, quantized]) => ({ kernel, node: "n", float, quantized })) }),
  },
});

test("half of the multiply-accumulates and a quarter of the time: half of it arrives", () => {
  expect(arrivedShare(at(500, 1.5))).toBe(0.5);
  expect(arrivalText(at(500, 1.5))).toBe("50 % of the saving of multiply-accumulates arrives");
  expect(arrivalNote(at(500, 1.5))).toBeNull();
});

test("little of it is a note with the kernels that take longer and what helps; none at all is said so", () => {
  const note = arrivalNote(at(500, 1.8, [["ReorderOutput", 0.01, 0.06]]));
  expect(note).toContain("20 % of the saving");
  expect(note).toContain("ReorderOutput 0.01 ms → 0.06 ms");
  expect(note).toContain("--multiple 8");
  expect(arrivalNote(at(500, 2.2))).toContain("none of the saving");
});

test("what was not measured, or not saved, says nothing", () => {
  expect(arrivedShare({ ...at(500, 1), latencyMs: null })).toBeNull();
  expect(arrivalText(at(990, 2))).toBeNull();
});
