/** The shapes that a preparation reads: traced on one sample where there is data, else on zeros of the declared shapes. */
import { limits } from "../formats/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import { declaredTypes, firstSample, traceShapes } from "../runtime/inner.ts";
import { byteLength, type Feeds, sizeOf, Tensor } from "../tensor/inner.ts";
import type { PreparationContext } from "./method.ts";

/** Types by value name; empty where there is neither data nor a declaration to go by. */
export async function shapesFor(
  model: Model,
  { runtime, data, signal }: PreparationContext,
): Promise<ReadonlyMap<string, TensorType>> {
  if (data) return await traceShapes(model, runtime, await firstSample(data, signal));
  const zeros = zeroFeeds(model);
  return declaredTypes(model) ?? (zeros ? await traceShapes(model, runtime, zeros) : new Map<string, TensorType>());
}

/**
 * A sample of zeros, symbolic lengths being 1; undefined where an input does not say what it is, or is
 * larger than anything that is fed. */
function zeroFeeds(model: Model): Feeds | undefined {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, initializer } of model.graph.inputs) {
    if (initializer) continue;
    if (type?.kind !== "tensor" || !type.shape || type.dtype === "string") return undefined;
    const shape = type.shape.map((d) => (typeof d === "number" ? d : 1));
    const bytes = byteLength(type.dtype, sizeOf(shape));
    // A file may say any length: what no machine could be fed is not made.
    if (bytes > limits.tracedInputBytes) return undefined;
    feeds[name] = Tensor.fromBytes(type.dtype, shape, new Uint8Array(bytes));
  }
  return feeds;
}
