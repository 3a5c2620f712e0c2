/** GPTQ on the moments that AdaRound uses, with the same scales and the same best bias: the two can be compared. */

import { roundHalfEven } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Plan } from "../../quant/inner.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { Products } from "../on-moments/products.ts";
import { dequantized, type RoundingProblem, roundingProblem } from "../on-moments/rounding-problem.ts";
import { RowErrors } from "../on-moments/row-errors.ts";
import { spanningEncoding } from "../on-moments/scale-search.ts";
import { withSearchedScales } from "../on-moments/searched-scales.ts";
import { solveLayers } from "../on-moments/sequential.ts";
import { optionsOf } from "../step.ts";
import { gptq, type InverseFactor, inverseFactor, type Multiply } from "./math.ts";
import { type GptqOptions, gptqOptions } from "./options.ts";

/** The plan needs encodings. Weights come back on their grid, encodings frozen. */
export async function applyGptq(
  model: Model,
  plan: Plan,
  context: MethodContext,
  given: GptqOptions = {},
): Promise<MethodResult> {
  const options = optionsOf("gptq", gptqOptions, given);
  const { rowsPerColumn, activations, bias } = options;
  await using errors = await RowErrors.open(context.runtime, context.threads);
  await using products = await Products.open(context.runtime, context.threads);
  const multiply = products.multiply.bind(products);
  const factors = sharedFactors((h, columns) => inverseFactor(h, columns, multiply, options));
  // Awaited here: the session ends with this scope.
  return await solveLayers(model, plan, context, { step: "gptq", rowsPerColumn, activations, bias }, async (task) => {
    const { layer } = task;
    const placed = roundingProblem(layer, task.weight, task.encoding, task.moments);
    const candidates = { spanning: spanningEncoding(layer, task.entry), given: task.encoding, entry: task.entry };
    const { problem, encoding } = !options.searchScales
      ? { problem: placed, encoding: task.encoding }
      : await withSearchedScales(placed, layer, candidates, errors);
    const integers = await roundGroups(problem, await factors(problem), multiply);
    return {
      weight: dequantized(problem, layer, integers),
      encoding,
      note: `${problem.columns} columns rounded in order`,
    };
  });
}

/** The factor of every group's H. Layers that follow each other and read the same input have the same H: the last ones are kept. */
function sharedFactors(factor: (h: Float64Array, columns: number) => Promise<InverseFactor>) {
  let known: { readonly h: Float64Array; readonly factors: readonly InverseFactor[] } | undefined;
  return async ({ groups, columns, h }: RoundingProblem): Promise<readonly InverseFactor[]> => {
    if (known?.h === h) return known.factors;
    known = undefined;
    const factors: InverseFactor[] = [];
    const size = columns * columns;
    for (let g = 0; g < groups; g++) factors.push(await factor(h.subarray(g * size, (g + 1) * size), columns));
    known = { h, factors };
    return factors;
  };
}

async function roundGroups(
  { outputs, columns, weight, scale, low, high, t }: RoundingProblem,
  factors: readonly InverseFactor[],
  multiply: Multiply,
): Promise<Float64Array> {
  const size = outputs * columns;
  const integers = new Float64Array(weight.length);
  for (const [g, factor] of factors.entries()) {
    const own = (values: Float64Array) => values.subarray(g * size, (g + 1) * size);
    const part = {
      rows: outputs,
      columns,
      weight: own(weight),
      scale: own(scale),
      low: own(low),
      high: own(high),
      t: own(t),
    };
    integers.set(await gptq(part, factor, roundHalfEven, multiply), g * size);
  }
  return integers;
}
