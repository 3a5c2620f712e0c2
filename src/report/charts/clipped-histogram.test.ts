import { expect, test } from "vitest";
import { clippedHistogram } from "./clipped-histogram.ts";

/** The horizontal extents of the bars of one class, as drawn on 300 units. */
function bars(svg: string, name: "f" | "c"): [number, number][] {
  const path = new RegExp(`<path class="${name}" d="([^"]*)"`).exec(svg)![1]!;
  return [...path.matchAll(/M([\d.-]+) 92v[\d.-]+h([\d.]+)/g)].map(([, x, w]) => [Number(x), Number(x) + Number(w)]);
}

const data = { low: 0, high: 12, counts: [4, 4, 4, 4] };

test("a bar that crosses the end of the grid is cut there", () => {
  const svg = clippedHistogram(data, { min: 0, max: 7.5 }, { min: 0, max: 12 }).text;
  expect(bars(svg, "f")).toEqual([[0, 75], [75, 150], [150, 187.5]]); // biome-ignore format: pairs
  expect(bars(svg, "c")).toEqual([[187.5, 225], [225, 300]]); // biome-ignore format: pairs
});

test("nothing is drawn as clipped where the grid holds all that was observed", () => {
  const svg = clippedHistogram(data, { min: -1, max: 11 }, { min: 0, max: 11 }).text;
  expect(bars(svg, "c")).toEqual([]);
  expect(bars(svg, "f").at(-1)![1]).toBeCloseTo(300, 0); // drawn to a tenth of a unit
});

test("bars that tower over the others leave the picture instead of flattening them", () => {
  const svg = clippedHistogram(
    { ...data, counts: [1e6, 100, 100, 1e6] },
    { min: 0, max: 12 },
    { min: 0, max: 12 },
  ).text;
  const heights = [...svg.matchAll(/92v-([\d.]+)h/g)].map((match) => Number(match[1]));
  expect(heights[0]).toBe(92);
  expect(heights[1]).toBeGreaterThan(50);
});
