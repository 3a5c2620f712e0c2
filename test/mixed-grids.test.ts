/**
 * A precision for every layer: each node has grids and a granularity of its own, drawn by chance, on every kind of operator. The file opens
 * in stock sessions of both runtimes and computes what the plan says in float64.
 */
import { expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { type GridRule, gridName, parseGrid, place, usableGrids } from "../src/quant/inner.ts";
import { everything, faultsOf, granularities, prepared, targets } from "./grid-matrix.ts";

const seeds = Array.from({ length: everything ? 70 : 14 }, (_, seed) => seed);

test.each(seeds)("seed %i", async (seed) => {
  const random = new Random(seed);
  const choose = <T>(from: readonly T[]) => from[random.integer(from.length)]!;
  const { model, shapes } = prepared;
  const grids = [...model.graph.nodes].map(
    (node): GridRule => ({
      match: node.output.name,
      weights: parseGrid(choose(usableGrids("weight"))),
      activations: parseGrid(choose(usableGrids("activation"))),
      granularity: choose(granularities),
    }),
  );
  const target = targets[seed % targets.length]!;
  const plan = place(model, target, { shapes, grids });
  const widths = new Set(plan.entries.map(({ grid }) => gridName(grid)));
  expect(widths.size).toBeGreaterThan(4);
  // A step of 16 bits is as small as 4e-5.
  expect(await faultsOf(plan, target.name, 4e-5)).toEqual([]);
});
