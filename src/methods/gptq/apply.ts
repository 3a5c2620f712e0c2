/** GPTQ on the moments that AdaRound uses, with the same scales and the same best bias: the two can be compared. */

import { roundHalfEven } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Plan } from "../../quant/inner.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { dequantized, type RoundingProblem, roundingProblem } from "../on-moments/rounding-problem.ts";
import { RowErrors } from "../on-moments/row-errors.ts";
import { spanningEncoding } from "../on-moments/scale-search.ts";
import { withSearchedScales } from "../on-moments/searched-scales.ts";
import { solveLayers } from "../on-moments/sequential.ts";
import { optionsOf } from "../step.ts";
import { type ColumnOptions, gptq } from "./math.ts";
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
  // Awaited here: the session ends with this scope.
  return await solveLayers(model, plan, context, { step: "gptq", rowsPerColumn, activations, bias }, async (task) => {
    const { layer } = task;
    const placed = roundingProblem(layer, task.weight, task.encoding, task.moments);
    const candidates = { spanning: spanningEncoding(layer, task.entry), given: task.encoding, entry: task.entry };
    const { problem, encoding } = !options.searchScales
      ? { problem: placed, encoding: task.encoding }
      : await withSearchedScales(placed, layer, candidates, errors);
    const integers = roundGroups(problem, options);
    return {
      weight: dequantized(problem, layer, integers),
      encoding,
      note: `${problem.columns} columns rounded in order`,
    };
  });
}

function roundGroups(problem: RoundingProblem, options: ColumnOptions): Float64Array {
  const { groups, outputs, columns, weight, scale, low, high, t, h } = problem;
  const size = outputs * columns;
  const integers = new Float64Array(groups * size);
  for (let g = 0; g < groups; g++) {
    const own = (values: Float64Array) => values.subarray(g * size, (g + 1) * size);
    const part = {
      rows: outputs,
      columns,
      weight: own(weight),
      scale: own(scale),
      low: own(low),
      high: own(high),
      t: own(t),
      h: h.subarray(g * columns * columns, (g + 1) * columns * columns),
    };
    integers.set(gptq(part, roundHalfEven, options), g * size);
  }
  return integers;
}
