/** Many tensors in one float32 buffer: what a training step reads and writes is a few long arrays, not hundreds of small ones. */
import type { Emitter } from "../autodiff/inner.ts";
import { AvocetError } from "../base/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import { type Feeds, type Shape, sizeOf, Tensor } from "../tensor/inner.ts";

export interface FlatEntry {
  readonly name: string;
  readonly shape: Shape;
  /** First element in the buffer. */
  readonly offset: number;
  readonly size: number;
}

/** Which tensor lies where in a flat buffer. */
export class FlatLayout {
  readonly entries: readonly FlatEntry[];
  /** Elements in all. */
  readonly size: number;

  constructor(tensors: readonly { readonly name: string; readonly shape: Shape }[]) {
    let offset = 0;
    this.entries = tensors.map(({ name, shape }) => {
      const entry = { name, shape, offset, size: sizeOf(shape) };
      offset += entry.size;
      return entry;
    });
    this.size = offset;
  }

  /** The tensors one after the other. Throws `data/wrong-shape` for one that is absent or has another size. */
  pack(tensors: ReadonlyMap<string, Tensor>): Float32Array<ArrayBuffer> {
    const flat = new Float32Array(this.size);
    for (const { name, shape, offset, size } of this.entries) {
      const tensor = tensors.get(name);
      if (tensor?.size !== size) {
        throw new AvocetError("data/wrong-shape", `expected ${name} of shape [${shape}], got [${tensor?.shape}]`, {
          at: name,
        });
      }
      flat.set(tensor.floats(), offset);
    }
    return flat;
  }

  /** The tensors of a buffer, by name; copies. */
  unpack(flat: Float32Array): Map<string, Tensor> {
    return new Map(
      this.entries.map(({ name, shape, offset, size }) => [
        name,
        Tensor.float32(shape, flat.slice(offset, offset + size)),
      ]),
    );
  }
}

/**
 * Puts the parts of a flat input in the place of constants or inputs of a graph, name by name: Split, then Reshape, ahead of
 * all nodes. Returns the values that stand for them now; the constants and inputs are gone.
 */
export function substituteFlat(
  e: Emitter,
  buffer: Value,
  layout: FlatLayout,
  values: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const { graph } = e;
  const [first] = graph.nodes;
  const at = first ? { place: { before: first } as const } : {};
  const { entries } = layout;
  if (entries.length === 0) return new Map();
  const sizes = e.ints(entries.map(({ size }) => size));
  const parts: Node = graph.insert(
    { op: "Split", inputs: [buffer, sizes], outputs: entries.map(({ name }) => `${name}_flat`) },
    at.place,
  );
  return new Map(
    entries.map(({ name, shape }, i) => {
      const old = values.get(name)!;
      graph.setAside(old, `${name}_initial`);
      const made = e.op("Reshape", [parts.outputs[i]!, e.ints(shape)], {}, { output: name, ...at });
      graph.replaceUses(old, made);
      if (old.initializer) graph.removeInitializer(old);
      if (old.isGraphInput) graph.removeInput(old);
      return [name, made];
    }),
  );
}

/** Values of any shapes as one flat value, in the order of a layout. */
export function concatFlat(e: Emitter, layout: FlatLayout, values: ReadonlyMap<string, Value>): Value {
  const parts = layout.entries.map(({ name, size }) => {
    const value = values.get(name);
    return value ? e.reshape(value, [-1]) : e.filled([size], 0);
  });
  return e.concat(parts, 0);
}

/** A flat buffer of named tensors as float32 tensor that a session takes. */
export function flatTensor(flat: Float32Array): Tensor {
  return Tensor.float32([flat.length], flat);
}

/** What a model holds under these names: constants, or what is given for inputs. */
export function initialTensors(
  names: readonly string[],
  values: ReadonlyMap<string, Value>,
  given: Feeds,
): Map<string, Tensor> {
  return new Map(
    names.map((name) => {
      const value = values.get(name);
      const tensor = given[name] ?? value?.initializer;
      if (!value || value.producer || !tensor) {
        throw new AvocetError("graph/not-found", `expected a constant or an input with an initial value, got ${name}`, {
          at: name,
          hint: "computed values cannot be trained; give inputs a first value in `initial`",
        });
      }
      if (tensor.dtype !== "float32") {
        throw new AvocetError("tensor/wrong-dtype", `expected float32 to train, got ${tensor.dtype}`, { at: name });
      }
      return [name, tensor];
    }),
  );
}
