/** A decided layer as bytes of a checkpoint, and back, bit for bit. */
import { type Checkpoint, packRecord, unpackRecord } from "../../base/inner.ts";
import type { Encoding } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

/** What a method chose for one layer. */
export interface LayerSolution {
  /** Ŵ: on the grid of the encoding, in the shape of the weight. */
  readonly weight: Tensor;
  readonly encoding: Encoding;
  /** The model keeps its float weight: only the encoding was chosen. Default false. */
  readonly encodingOnly?: boolean;
  /** A sentence for the report. */
  readonly note: string;
}

export interface DecidedLayer extends LayerSolution {
  /** The bias that goes with it; absent where it stays. */
  readonly bias?: Float64Array;
}

interface Facts {
  readonly shape: readonly number[];
  readonly encoding: Encoding;
  readonly encodingOnly: boolean;
  readonly note: string;
}

export async function saveLayer(checkpoint: Checkpoint, key: string, layer: DecidedLayer): Promise<void> {
  const { weight, encoding, encodingOnly = false, note, bias } = layer;
  const facts: Facts = { shape: weight.shape, encoding, encodingOnly, note };
  await checkpoint.save(key, packRecord({ facts, arrays: { weight: weight.floats(), ...(bias ? { bias } : {}) } }));
}

export async function loadLayer(checkpoint: Checkpoint, key: string): Promise<DecidedLayer | undefined> {
  const bytes = await checkpoint.load(key);
  if (!bytes) return undefined;
  const { facts, arrays } = unpackRecord(bytes);
  const { shape, encoding, encodingOnly, note } = facts as Facts;
  const weight = Tensor.float32(shape, arrays.weight as Float32Array);
  const bias = arrays.bias as Float64Array | undefined;
  return { weight, encoding, encodingOnly, note, ...(bias ? { bias } : {}) };
}
