/** The chart of SQNR over the graph, for figures that a report may hold. */
import { expect, test } from "vitest";
import { signalPath } from "./signal-path.ts";

const at = (sqnr: number) => ({ name: `value ${sqnr}`, op: "Conv", sqnr });

const ticksOf = (page: string) => [...page.matchAll(/>(-?\d+) dB<\/text>/g)].map(([, db]) => Number(db));

test("a line every 20 dB, as far as values reach", () => {
  expect(ticksOf(`${signalPath([at(-10), at(75), at(Number.POSITIVE_INFINITY)])}`)).toEqual([0, 20, 40, 60]);
  expect(ticksOf(`${signalPath([at(-25), at(95)])}`)).toEqual([-20, 0, 20, 40, 60, 80]);
});

test("figures beyond any float are drawn at the top", () => {
  const page = `${signalPath([at(4e10), at(-4e10), at(30)])}`;
  expect(ticksOf(page)).toEqual([-40, -20, 0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
  expect([...page.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y)).slice(0, 2)).toEqual([10, 220]);
});
