/** AdaRound on moments: layer by layer, with inputs of the quantized prefix, scales searched before and biases solved after. */
import type { z } from "zod";
import { roundHalfEven, throwIfAborted, type Work } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Plan } from "../../quant/inner.ts";
import type { Runtime, Session } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { descend } from "../on-moments/coordinate-descent.ts";
import { dequantized, nearest, type RoundingProblem, roundingProblem } from "../on-moments/rounding-problem.ts";
import { RowErrors } from "../on-moments/row-errors.ts";
import { spanningEncoding } from "../on-moments/scale-search.ts";
import { withSearchedScales } from "../on-moments/searched-scales.ts";
import { solveLayers } from "../on-moments/sequential.ts";
import { optionsOf } from "../step.ts";
import { adaroundGraph, type StepSettings } from "./graph.ts";
import { alphaOf, rectifiedSigmoid } from "./math.ts";
import { type AdaRoundOptions, adaroundOptions } from "./options.ts";

/** The plan needs encodings. Weights come back on their grid, encodings frozen. */
export async function applyAdaRound(
  model: Model,
  plan: Plan,
  context: MethodContext,
  given: AdaRoundOptions = {},
): Promise<MethodResult> {
  const options = optionsOf("adaround", adaroundOptions, given);
  const settings = settingsOf(options);
  const { runtime, threads } = context;
  await using errors = await RowErrors.open(runtime, threads);
  await using rounding = await Rounding.open(runtime, settings, threads);
  const { rowsPerColumn, activations, bias, coarseOnly } = options;
  // Awaited here: the sessions end with this scope.
  return await solveLayers(
    model,
    plan,
    context,
    { step: "adaround", rowsPerColumn, activations, bias, coarseOnly },
    async (task) => {
      const { layer } = task;
      const placed = roundingProblem(layer, task.weight, task.encoding, task.moments);
      const { problem, encoding } = !options.searchScales
        ? { problem: placed, encoding: task.encoding }
        : await withSearchedScales(
            placed,
            layer,
            { spanning: spanningEncoding(layer, task.entry), given: task.encoding, entry: task.entry },
            errors,
          );
      const start = nearest(problem, roundHalfEven);
      const before = total(await errors.of(problem, start));
      const integers = await best(problem, start, options, errors, () => rounding.solve(problem, context));
      const after = total(await errors.of(problem, integers));
      const share = before > 0 && after > 0 ? `, ${(100 * (1 - after / before)).toFixed(1)} % of it gone` : "";
      return {
        weight: dequantized(problem, layer, integers),
        encoding,
        note: `rounded up or down against an error of ${before.toExponential(2)}${share}`,
      };
    },
  );
}

/**
 * The best integers that were found, row by row: rows do not influence each other, and a local minimum reached from
 * nearest rounding is sometimes the lower one.
 */
async function best(
  problem: RoundingProblem,
  start: Float64Array,
  options: Chosen,
  errors: RowErrors,
  anneal: () => Promise<Float64Array>,
): Promise<Float64Array> {
  const finished = (integers: Float64Array) => {
    if (options.descent) descend(problem, integers);
    return integers;
  };
  const chosen = finished(start.slice());
  if (options.iterations === 0) return chosen;
  const annealed = finished(await anneal());
  const [usual, other] = [await errors.of(problem, chosen), await errors.of(problem, annealed)];
  const { columns } = problem;
  usual.forEach((error, row) => {
    if (other[row]! < error) chosen.set(annealed.subarray(row * columns, (row + 1) * columns), row * columns);
  });
  return chosen;
}

type Chosen = z.output<typeof adaroundOptions>;

function settingsOf({ iterations, learningRate, lambda, warmStart, beta }: Chosen): StepSettings {
  return { iterations, learningRate, lambda, warmStart, betaStart: beta[0], betaEnd: beta[1] };
}

/** Runs the graph in pieces, so that an interruption is heard. */
class Rounding implements AsyncDisposable {
  readonly #session: Session;
  readonly #settings: StepSettings;

  private constructor(session: Session, settings: StepSettings) {
    this.#session = session;
    this.#settings = settings;
  }

  static async open(runtime: Runtime, settings: StepSettings, threads?: number): Promise<Rounding> {
    return new Rounding(await runtime.open(adaroundGraph(settings), threads ? { threads } : {}), settings);
  }

  /** The integers after all iterations, hard. */
  async solve(problem: RoundingProblem, work: Work): Promise<Float64Array> {
    const { groups, outputs, columns, weight, scale, low, high, h, t } = problem;
    const shape = [groups, outputs, columns];
    const rows = (values: ArrayLike<number>) => Tensor.float32(shape, Float32Array.from(values));
    const floor = weight.map((w, i) => Math.min(high[i]! - 1, Math.max(low[i]!, Math.floor(w / scale[i]!))));
    const size = stepError(problem);
    const constants = {
      floor: rows(floor),
      weight: rows(weight),
      scale: rows(scale),
      gain: rows(scale.map((s) => (2 * s) / size)),
      t: rows(t),
      h: Tensor.float32([groups, columns, columns], Float32Array.from(h)),
    };
    let state = {
      alpha: rows(weight.map((w, i) => alphaOf(w / scale[i]! - floor[i]!))),
      m: rows(new Float32Array(weight.length)),
      v: rows(new Float32Array(weight.length)),
    };
    // About 10⁹ multiplications keep one run well under a fifth of a second.
    const piece = Math.max(1, Math.min(100, Math.floor(1e9 / (weight.length * (columns + 100)))));
    for (let done = 0; done < this.#settings.iterations; done += piece) {
      throwIfAborted(work);
      const count = Math.min(piece, this.#settings.iterations - done);
      const next = await this.#session.run({
        from: Tensor.scalar(done),
        count: Tensor.scalar(count, "int64"),
        ...state,
        ...constants,
      });
      state = { alpha: next.alpha_next!, m: next.m_next!, v: next.v_next! };
    }
    const alpha = state.alpha.floats();
    return floor.map((base, i) => base + (rectifiedSigmoid(alpha[i]!) >= 0.5 ? 1 : 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** The mean error of one weight that is off by one step: what makes λ mean the same in every layer. */
function stepError({ scale, h, columns, outputs }: RoundingProblem): number {
  let sum = 0;
  for (let i = 0; i < scale.length; i++) {
    const group = Math.floor(i / (outputs * columns));
    const j = i % columns;
    sum += scale[i]! ** 2 * h[group * columns * columns + j * columns + j]!;
  }
  return Math.max(sum / scale.length, Number.MIN_VALUE);
}

function total(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
