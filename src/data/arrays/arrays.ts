/** Datasets of arrays: one per model input, samples on the first axis; optionally scaled on the way. */
import { AvocetError } from "../../base/inner.ts";
import { arrayKind, Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import type { IndexedDataset, SampleAxes } from "../dataset.ts";
import { encoderOf } from "../images/pixels.ts";
import { indexedDataset } from "../indexed.ts";
import type { Preprocess } from "../preprocess.ts";
import { valueMap } from "../preprocess-arithmetic.ts";
import type { Placed } from "./array-axes.ts";

/** Arrays by input name. Throws `data/wrong-shape` when their sample counts differ, `data/none`. */
export function arrayDataset(arrays: Readonly<Record<string, ArrayRows>>, source: string): IndexedDataset {
  return placedDataset(Object.fromEntries(Object.entries(arrays).map(([name, rows]) => [name, { rows }])), source);
}

/** The same, where some arrays are one tensor for all samples. Only such arrays are one sample. */
export function placedDataset(arrays: Readonly<Record<string, Placed>>, source: string): IndexedDataset {
  const entries = Object.entries(arrays).flatMap(([name, one]) => ("rows" in one ? [[name, one.rows] as const] : []));
  const held = Object.entries(arrays).flatMap(([name, one]) =>
    "constant" in one ? [[name, one.constant] as const] : [],
  );
  const count = entries[0]?.[1].shape[0] ?? (held.length > 0 ? 1 : 0);
  for (const [name, { shape }] of entries) {
    if (shape[0] !== count) {
      const hint = `"${entries[0]![0]}" has ${count}: samples lie on the first axis, or on the axis that --batch-axis ${name}=AXIS says`;
      throw new AvocetError("data/wrong-shape", `expected ${count} samples in every array, "${name}" has ${shape[0]}`, {
        at: source,
        hint,
      });
    }
  }
  const starts = entries.find(([, rows]) => rows.starts)?.[1].starts;
  const axes: SampleAxes = Object.fromEntries(held.map(([name]) => [name, null]));
  return indexedDataset({
    count,
    source,
    ...(held.length > 0 && { axes }),
    ...(starts && { starts }),
    async read(indices) {
      const tensors = await Promise.all(entries.map(async ([name, rows]) => [name, await rows.read(indices)] as const));
      return Object.fromEntries([...tensors, ...held]);
    },
  });
}

/**
 * An array that is not images, element by element: y = (x·scale − mean) / std · gain. Throws `recipe/invalid` for
 * steps that need images.
 */
export function scaledRows(rows: ArrayRows, preprocess: Preprocess): ArrayRows {
  const { resize, crop, orient, mean, std, dtype } = preprocess;
  const single = (given: number | number[]) => typeof given === "number" || given.length === 1;
  if (resize || crop !== undefined || orient || !single(mean) || !single(std)) {
    throw new AvocetError(
      "recipe/invalid",
      `expected images (uint8 [N,height,width,3]) for resize, crop and values per channel, got ${rows.dtype}[${rows.shape.join(",")}]`,
      {
        at: rows.name,
        hint: "of other arrays only scale, mean, std, gain and dtype can be used, with one number each",
      },
    );
  }
  const map = valueMap(preprocess, 0);
  const encode = encoderOf(dtype);
  return {
    name: rows.name,
    dtype,
    shape: rows.shape,
    ...(rows.starts && { starts: rows.starts }),
    ...(rows.along && { along: (axis: number) => scaledRows(rows.along!(axis), preprocess) }),
    async read(indices) {
      const raw = await rows.read(indices);
      const values = new (arrayKind(dtype))(raw.size) as Float32Array;
      raw.numbers().forEach((x, i) => {
        values[i] = encode(map(x));
      });
      return Tensor.of(dtype, raw.shape, values);
    },
  };
}
