/** The scorers that presets choose with where a program gives none: how far the outputs of a candidate are from float. */
import { compareValues, outputSignals } from "../analysis/inner.ts";
import { type Checkpoint, remembered, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Expectation } from "../methods/inner.ts";
import { counterparts } from "../quant/inner.ts";
import { firstSample, type Runtime, traceShapes } from "../runtime/inner.ts";
import { noiseFeeds } from "./noise-inputs.ts";
import type { Shapes } from "./ranging.ts";
import type { Score, Scorer } from "./scorer.ts";

export interface OutputScorerOptions extends Work {
  /** What candidates are held against. */
  readonly float: Model;
  readonly runtime: Runtime;
  readonly threads?: number;
}

const decibels = (value: number): Score => ({ metric: "output SQNR", unit: "dB", better: "higher", value });

/** The lowest SQNR of the outputs over all of the data, in dB. */
export function outputScorer({ data, ...given }: OutputScorerOptions & { readonly data: Dataset }): Scorer {
  const { float, runtime, signal } = given;
  let names: Promise<string[]> | undefined;
  const outputs = async () => outputSignals(float, await traceShapes(float, runtime, await firstSample(data, signal)));
  return {
    async score(candidate) {
      names ??= outputs();
      const lowered = candidate.lowered();
      const compared = counterparts(await names, lowered);
      const similar = await compareValues(float, lowered.model, compared, runtime, data, given);
      return decibels(Math.min(...similar.map((s) => s.sqnr)));
    },
  };
}

/** Samples of noise: enough for an average over all elements of an output. */
const noiseSamples = 8;

/** The SQNR of the first float output, in dB, on inputs that are no data; 0 where it cannot be told. */
export function noiseScorer({
  float,
  inputs,
  shapes,
  runtime,
  ...work
}: OutputScorerOptions & { readonly inputs: ReadonlyMap<string, Expectation>; readonly shapes: Shapes }): Scorer {
  const name = float.graph.outputs.find((value) => shapes.get(value.name)?.dtype === "float32")?.name;
  return {
    async score(candidate) {
      if (name === undefined) return decibels(0);
      await using exact = await runtime.open(float);
      await using rounded = await runtime.open(candidate.shipped(), { fuseQdq: false });
      let [power, error] = [0, 0];
      for (let seed = 0; seed < noiseSamples; seed++) {
        throwIfAborted(work);
        const feeds = noiseFeeds(float, shapes, inputs, seed);
        if (!feeds) return decibels(0);
        const [wanted, found] = [
          (await exact.run(feeds, [name]))[name]!.floats(),
          (await rounded.run(feeds, [name]))[name]!.floats(),
        ];
        wanted.forEach((value, i) => {
          power += value * value;
          error += (value - found[i]!) ** 2;
        });
      }
      return decibels(10 * Math.log10(power / Math.max(error, Number.MIN_VALUE)));
    },
  };
}

/** The same scorer, which asks a checkpoint first. Questions must come in the same order whenever the run starts again. */
export function rememberedScorer(scorer: Scorer, checkpoint: Checkpoint | undefined): Scorer {
  let asked = 0;
  return {
    async score(candidate) {
      const { value, ...about } = await remembered(checkpoint, `judged-${asked++}`, async () => {
        const { value, ...rest } = await scorer.score(candidate);
        // As text: an exact output has infinitely many decibels, and JSON knows no such number.
        return { ...rest, value: String(value) };
      });
      return { ...about, value: Number(value) };
    },
  };
}
