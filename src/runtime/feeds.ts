/** Feeds for a model: the names its inputs want, one sample of a batch, several batches as one. */
import { AvocetError } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { arrayKind, type Feeds, Tensor, type TensorData } from "../tensor/inner.ts";

/**
 * The given tensors under the names of the model's inputs: one tensor for a model with one input may have any name,
 * tensors that the model does not ask for are dropped. `added` feeds inputs that no data has. Throws `data/wrong-inputs`.
 */
export function feedsFor(model: Model, sample: Feeds, added: Feeds = {}): Feeds {
  const wanted = model.graph.inputs
    .filter(({ name, initializer }) => !initializer && !Object.hasOwn(added, name))
    .map(({ name }) => name);
  const given = Object.keys(sample);
  if (wanted.length === 1 && given.length === 1) return { [wanted[0]!]: sample[given[0]!]!, ...added };
  const absent = wanted.filter((name) => !Object.hasOwn(sample, name));
  if (absent.length > 0) {
    throw new AvocetError("data/wrong-inputs", `expected the inputs ${wanted.join(", ")}, got ${given.join(", ")}`, {
      ...(model.source === undefined ? {} : { at: model.source }),
      hint: `missing: ${absent.join(", ")}`,
    });
  }
  return { ...Object.fromEntries(wanted.map((name) => [name, sample[name]!])), ...added };
}

/** Samples `first` … `first + count − 1` of a tensor [samples, …]; numeric data is a view, not a copy. */
export function takeSamples(tensor: Tensor, first: number, count: number): Tensor {
  const [samples = 1, ...rest] = tensor.shape;
  const perSample = tensor.data.length / samples;
  const { data } = tensor;
  const part = ArrayBuffer.isView(data)
    ? data.subarray(first * perSample, (first + count) * perSample)
    : data.slice(first * perSample, (first + count) * perSample);
  return Tensor.of(tensor.dtype, [count, ...rest], part);
}

/** Tensors [samplesᵢ, …] of one type, stacked on the first axis. */
export function joinSamples(parts: readonly Tensor[]): Tensor {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const shape = [parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0), ...first.shape.slice(1)];
  if (first.dtype === "string")
    return Tensor.of(
      "string",
      shape,
      parts.flatMap((part) => part.data as string[]),
    );
  const joined = new (arrayKind(first.dtype))(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    // The element kinds agree, which the union of typed arrays cannot express.
    (joined as Float32Array).set(part.data as Float32Array, at);
    at += part.data.length;
  }
  return Tensor.of(first.dtype, shape, joined as TensorData);
}
