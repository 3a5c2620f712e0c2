/** Which models are simulated without optimisation: those whose weights would be folded to more float than memory should hold twice. */
import { expect, test } from "vitest";
import { Graph, Model } from "../ir/inner.ts";
import { type DType, Tensor } from "../tensor/inner.ts";
import { simulation, simulationOf } from "./inner.ts";

/** A model with one constant that nothing ever loads. */
function holding(dtype: DType, size: number): Model {
  const graph = new Graph("g");
  const load = () => {
    throw new Error("loaded");
  };
  graph.addInitializer("w", Tensor.lazy(dtype, [size], load));
  return new Model(graph, [["", 21]]);
}

test.each([
  ["int8", 65e6, true],
  ["uint4", 65e6, true],
  ["int8", 63e6, false],
  // What is float already is not folded, and a bias of this size is none.
  ["float32", 65e6, false],
  ["int32", 65e6, false],
] as const)("%s, %d elements: %s", (dtype, size, off) => {
  expect(simulationOf(holding(dtype, size))).toEqual(
    off ? { ...simulation, optimization: "off", frugal: true } : simulation,
  );
});
