/** The shapes that a preparation reads: traced on one sample where there is data, else what the model itself declares. */
import type { Model, TensorType } from "../ir/index.ts";
import { declaredTypes, firstSample, traceShapes } from "../runtime/index.ts";
import type { PreparationContext } from "./method.ts";

export async function shapesFor(
  model: Model,
  { runtime, data, signal }: PreparationContext,
): Promise<ReadonlyMap<string, TensorType>> {
  if (data) return await traceShapes(model, runtime, await firstSample(data, signal));
  return declaredTypes(model) ?? new Map<string, TensorType>();
}
