/** The lengths of a value where all of them are known numbers. */
import { staticShape, type TensorType, type Value } from "../ir/inner.ts";
import type { Shape } from "../tensor/inner.ts";

/** From its data, or from the types of a trace, by name; what the file declares is not asked. */
export function shapeOf(value: Value | null | undefined, types: ReadonlyMap<string, TensorType>): Shape | undefined {
  return value ? (value.initializer?.shape ?? staticShape(types.get(value.name))) : undefined;
}
