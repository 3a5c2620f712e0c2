/**
 * Every grid of weights next to every grid of activations, on every kind of operator: the file opens in stock sessions of both
 * runtimes and computes, optimised and not, what the plan says in float64. Granularities and targets take turns.
 */
import { describe, expect, test } from "vitest";
import { type GridName, parseGrid, place, usableGrids } from "../src/quant/inner.ts";
import { everything, faultsOf, granularities, prepared, targets } from "./grid-matrix.ts";

const grids = usableGrids("weight");

/** Widths that ONNX has types for, with three bits for the others: each next to each. The others take turns. */
const usual = new Set(grids.filter((name) => /^u?int(2|3|4|8|16)$|float/.test(name)));
const partners = (weights: GridName) =>
  usableGrids("activation").flatMap((name, i) => {
    const turn = (i + 7 * grids.indexOf(weights)) % 11 === 0;
    return everything || turn || (usual.has(weights) && usual.has(name)) ? [[name, i] as const] : [];
  });

describe.each(grids)("weights %s", (weights) => {
  test.each(partners(weights))("activations %s", async (activations, index) => {
    const found: string[] = [];
    for (const [turn, granularity] of granularities.entries()) {
      if (!everything && turn !== (index + grids.indexOf(weights)) % 3) continue;
      const target = targets[(3 * grids.indexOf(weights) + 5 * index + 2 * turn) % targets.length]!;
      const { model, shapes } = prepared;
      const make = () =>
        place(model, target, {
          shapes,
          weights: parseGrid(weights),
          activations: parseGrid(activations),
          granularity,
        });
      if (weights === "float32" && activations === "float32") {
        expect(make).toThrowError(expect.objectContaining({ code: "quant/nothing-to-quantize" }));
        continue;
      }
      // A step of 16 bits is that small.
      const fine = /16$/.test(activations) ? 4e-5 : 1e-5;
      found.push(...(await faultsOf(make(), `${target.name}, ${JSON.stringify(granularity)}`, fine)));
    }
    expect(found).toEqual([]);
  });
});
