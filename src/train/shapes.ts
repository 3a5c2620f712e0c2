/** Shapes of the values of a graph that is being rewritten: by value, since names come and go. */
import type { Graph, TensorType, Value } from "../ir/inner.ts";
import type { Shape } from "../tensor/inner.ts";

export class Shapes {
  readonly #shapes = new Map<Value, Shape>();
  readonly #others = new Set<Value>();

  /** `types` by name, as the graph's values are called now. */
  constructor(graph: Graph, types: ReadonlyMap<string, TensorType>) {
    for (const value of graph.values()) {
      const type = types.get(value.name);
      if (!type) continue;
      this.#shapes.set(value, type.shape as Shape);
      if (type.dtype !== "float32") this.#others.add(value);
    }
  }

  /** Undefined for what is no tensor, or has been made since. */
  of(value: Value | null): Shape | undefined {
    return value ? (value.initializer?.shape ?? this.#shapes.get(value)) : undefined;
  }

  /** Whether the elements are float32, the only ones that kernels in blocks have. */
  isFloat32(value: Value): boolean {
    return value.initializer ? value.initializer.dtype === "float32" : !this.#others.has(value);
  }

  set(value: Value, shape: Shape): void {
    this.#shapes.set(value, shape);
  }
}
