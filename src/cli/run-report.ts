/** Runs what the report still needs (similarity of values, kernels) and puts the figures together. */
import { clippedShares, compareValues, type Verification } from "../analysis/index.ts";
import type { Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import { counterparts } from "../quant/index.ts";
import {
  buildReport,
  clippingRanges,
  comparedValues,
  isDataFree,
  type Quantized,
  type Recipe,
} from "../recipe/index.ts";
import type { RunReport } from "../report/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { kernelsOf } from "./kernels.ts";
import { version } from "./version.ts";

export interface RunParts {
  readonly name: string;
  readonly quantized: Quantized;
  readonly recipe: Recipe;
  readonly score: RunReport["score"];
  readonly verification: Verification;
  readonly runtime: Runtime;
  readonly data: Dataset;
  /** The data is noise: see `noiseData`. */
  readonly noise: boolean;
  readonly work: Work & { readonly threads?: number };
}

/** Samples behind the SQNR of every value: it is an average over all their elements, so few suffice. */
const similaritySamples = 16;

export async function reportRun(parts: RunParts): Promise<Omit<RunReport, "seconds">> {
  const { quantized, runtime, work } = parts;
  const shipped = quantized.shipped;
  const compared = samples(parts.data, similaritySamples);
  const similarity = await compareValues(
    quantized.prepared,
    shipped,
    counterparts(comparedValues(quantized), shipped),
    runtime,
    compared,
    work,
  );
  const clipped = await clippedShares(quantized.prepared, clippingRanges(quantized), runtime, compared, work);
  return buildReport({
    name: parts.name,
    avocet: version,
    quantized,
    settings: recipeSettings(parts),
    score: parts.score,
    verification: parts.verification,
    kernels: await kernelsOf(shipped.source!, quantized.plan, runtime),
    similarity,
    clipped,
  });
}

/** What a reader of a report wants to know of the recipe, in words. */
function recipeSettings({ recipe, quantized, noise }: RunParts): Record<string, string> {
  const weight = quantized.plan.entries.find((e) => e.kind === "weight");
  const activation = quantized.plan.entries.find((e) => e.kind === "activation");
  const grid = (entry: typeof weight) =>
    entry?.grid.kind === "int"
      ? `${entry.grid.signed ? "" : "u"}int${entry.grid.bits}`
      : (entry?.grid.dtype ?? "float");
  return {
    target: quantized.plan.target,
    weights: `${grid(weight)} per ${weight?.granularity.kind ?? "tensor"}`,
    activations: grid(activation),
    ...(isDataFree(recipe)
      ? { calibration: "none: ranges from batch norms" }
      : { calibration: recipe.calibration, samples: String(recipe.samples) }),
    ...(recipe.methods ? { methods: recipe.methods.map((step) => step.method).join(" ") } : { preset: recipe.preset }),
    ...(noise ? { compared: "on noise, no data was given" } : {}),
    ...(recipe.float.length > 0 ? { float: recipe.float.join(" ") } : {}),
  };
}
