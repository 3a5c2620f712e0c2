/** What the reader of a foreign format counted while it wrote a model, for the report of a conversion. */
import type { Model } from "../ir/inner.ts";

export interface Conversion {
  /** Operators, layers or nodes that the source has where the model comes from. */
  readonly operators: number;
  /** Those that needed no node: computed while reading, or only another view of what is there. */
  readonly withoutNode: number;
}

const conversions = new WeakMap<Model, Conversion>();

export function noteConversion(model: Model, { operators, withoutNode }: Conversion): void {
  conversions.set(model, { operators, withoutNode });
}

/** Undefined for ONNX, for decoders, whose source has no graph, and for models that were made otherwise. */
export function conversionOf(model: Model): Conversion | undefined {
  return conversions.get(model);
}
