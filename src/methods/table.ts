/** The methods that a recipe can name, in the order in which documents list them: each row is in its method's folder. */
import { z } from "zod";
import { adaround } from "./adaround/step.ts";
import { batchNormReestimation } from "./batch-norm-re-estimation/step.ts";
import { biasCorrection } from "./bias-correction/step.ts";
import { equalization, highBias } from "./cross-layer-equalization/step.ts";
import { deadChannels } from "./dead-channels/step.ts";
import { gptq } from "./gptq/step.ts";
import { reconstruction } from "./reconstruction/step.ts";
import { seqMse } from "./seq-mse/step.ts";
import { spinQuant } from "./spin-quant/step.ts";
import { standaloneBatchNorms } from "./standalone-batch-norms/step.ts";
import type { Step } from "./step.ts";

export const methodTable = [
  deadChannels,
  standaloneBatchNorms,
  spinQuant,
  equalization,
  highBias,
  adaround,
  seqMse,
  gptq,
  reconstruction,
  batchNormReestimation,
  biasCorrection,
] as const;

/** A row's options with its name next to them, as recipes write a step. */
type Named<Row> =
  Row extends Step<infer Name, infer Shape>
    ? z.ZodObject<{ readonly method: z.ZodLiteral<Name> } & Shape, z.core.$strict>
    : never;

type Schemas<Rows extends readonly unknown[]> = { readonly [I in keyof Rows]: Named<Rows[I]> };

/** The schemas of the steps of a recipe, one for each row. */
export const methodSchemas = methodTable.map(({ name, options }) =>
  z.strictObject({ method: z.literal(name), ...options.shape }).describe(options.description ?? ""),
) as unknown as Schemas<typeof methodTable>;
