/** How sensitive the layers of a model are to compression: plain data that is saved, merged, chosen from and shown. */
import { z } from "zod";
import { AvocetError, parseJson } from "../base/inner.ts";
import { checkSchema } from "../data/inner-files.ts";

const count = z.number().nonnegative();

const candidateSchema = z.strictObject({
  /** Share of the layer's cost that is kept. */
  ratio: z.number().positive(),
  /** Rank of the two layers, or channels that stay. */
  rank: z.number().int().positive(),
  macs: count,
  parameters: count,
  /** What is expected to be lost: squared errors of the model's outputs, relative to their size. */
  loss: z.number().nonnegative().nullable().default(null),
  /** What the metric says when this layer alone is compressed. */
  score: z.number().nullable().default(null),
});

const layerSchema = z.strictObject({
  layer: z.string(),
  op: z.string(),
  scheme: z.string(),
  /** Of the layer as it is. */
  macs: count,
  parameters: count,
  /** The smallest ratio first. */
  candidates: z.array(candidateSchema),
  /** The rank that was chosen; null: the layer stays as it is. */
  chosen: z.number().int().positive().nullable().default(null),
});

const sensitivitiesSchema = z.strictObject({
  version: z.literal(1),
  /** What the model is called. */
  model: z.string(),
  /** Of the whole model. */
  macs: count,
  parameters: count,
  metric: z
    .strictObject({ name: z.string(), unit: z.string(), better: z.enum(["higher", "lower"]), float: z.number() })
    .nullable(),
  layers: z.array(layerSchema),
  /** The least loss that is expected where so much of the cost stays, over all layers. */
  tradeoff: z.array(z.strictObject({ share: z.number(), loss: z.number() })).default([]),
  /** Layers that are not compressed, and why. */
  refused: z.array(z.strictObject({ layer: z.string(), reason: z.string() })).default([]),
});

export type LayerSensitivity = z.output<typeof layerSchema>;
export type SensitivityCandidate = z.output<typeof candidateSchema>;
export type Sensitivities = z.output<typeof sensitivitiesSchema>;

/** Reads what `JSON.stringify(sensitivities)` wrote. Throws `import/malformed`. */
export function readSensitivities(text: string, at: string): Sensitivities {
  const found = checkSchema(sensitivitiesSchema, parseJson(text, { at, code: "import/malformed" }));
  if ("value" in found) return found.value;
  throw new AvocetError("import/malformed", `expected sensitivities of compress, got faults:\n${found.faults}`, { at });
}

/**
 * All that two files know of one model: candidates of the second win. Throws `usage/bad-value` where they speak of different layers.
 */
export function mergeSensitivities(a: Sensitivities, b: Sensitivities): Sensitivities {
  const key = ({ layer, scheme }: LayerSensitivity) => JSON.stringify([layer, scheme]);
  const layers = new Map(a.layers.map((one) => [key(one), one]));
  for (const other of b.layers) {
    const own = layers.get(key(other));
    if (own && (own.macs !== other.macs || own.parameters !== other.parameters)) {
      throw new AvocetError(
        "usage/bad-value",
        `expected sensitivities of one model, got ${other.layer} with ${own.macs} and with ${other.macs} MACs`,
        { at: other.layer },
      );
    }
    const candidates = new Map(own?.candidates.map((one) => [one.rank, one]));
    for (const one of other.candidates) {
      const known = candidates.get(one.rank);
      candidates.set(one.rank, {
        ...one,
        loss: one.loss ?? known?.loss ?? null,
        score: one.score ?? known?.score ?? null,
      });
    }
    const sorted = [...candidates.values()].sort((x, y) => x.rank - y.rank);
    layers.set(key(other), { ...other, candidates: sorted });
  }
  const tradeoff = b.tradeoff.length > 0 ? b.tradeoff : a.tradeoff;
  return { ...b, metric: b.metric ?? a.metric, tradeoff, layers: [...layers.values()] };
}
