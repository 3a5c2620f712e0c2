/** Masks at their very ends, where rounding decides: a finite difference does not see a point. */
import { expect, test } from "vitest";
import { parseModel } from "../../../ir/inner.ts";
import { openRuntime } from "../../../runtime/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { Emitter } from "../../emitter.ts";
import { between } from "./slopes.ts";

// float32 puts the middle of these nearer to the one end and to the other: 1.6104084253 and 1.6104085445, 1.6062817574 and 1.6062816381.
test.each([
  [Math.fround(-0.8391979336738586), Math.fround(2.3816189765930176)],
  [Math.fround(-0.32373011112213135), Math.fround(2.8888332843780518)],
  [0, 1],
  [-300, 300],
])("strictly between %d and %d", async (low, high) => {
  const model = parseModel('<ir_version: 10, opset_import: ["" : 21]> f (float[5] y) => (float[5] z) { z = Neg(y) }');
  const { graph } = model;
  const mask = between(new Emitter(graph, new Map()), graph.valuesByName().get("y")!, low, high);
  graph.setOutputs([mask]);
  await using session = await (await openRuntime()).open(model, { optimization: "off" });
  const middle = (low + high) / 2;
  const y = Tensor.float32([5], [low - 1e-3, low, middle, high, high + 1e-3]);
  const [found] = Object.values(await session.run({ y }));
  expect([...found!.floats()]).toEqual([0, 0, 1, 0, 0]);
});
