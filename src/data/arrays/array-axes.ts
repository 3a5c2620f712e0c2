/** Which axis of an array counts samples: the first, the model's own, or none where it holds for all of them. */
import { AvocetError } from "../../base/inner.ts";
import { byteLength, type Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import type { InputPort } from "../dataset.ts";
import { portAxis } from "../port-axes.ts";
import { gatherRows, sameNumbers } from "../rows.ts";

/** An array with its samples in front, or one tensor for all samples. */
export type Placed = { readonly rows: ArrayRows } | { readonly constant: Tensor };

/** Arrays up to this size are looked through for whether all their samples are equal. */
const smallBytes = 1 << 20;

/**
 * Reads an array as an input's samples. Of an input with samples on axis k an array may have them there, as the model
 * does, or in front; where both readings fit, a user who named k (`batchNamed`) or the array's own `axis` decides. Throws `data/wrong-shape` where
 * nobody has, `usage/bad-value` for an axis that the array does not have.
 */
export async function placeArray(
  rows: ArrayRows,
  port: InputPort | undefined,
  axis: number | undefined,
): Promise<Placed> {
  const { shape } = rows;
  if (axis !== undefined && !(axis >= 0 && axis < shape.length)) {
    throw new AvocetError("usage/bad-value", `expected an axis of [${shape.join(",")}], got ${axis}`, {
      at: rows.name,
    });
  }
  if (axis !== undefined) return { rows: rows.along?.(axis) ?? rows };
  const batch = port && portAxis(port);
  const wanted = port?.shape;
  if (batch === undefined || !wanted) return { rows };
  if (batch === null) return await heldForAll(rows, wanted);
  // The tensor of one sample, where the model takes one at a time: what it holds for is told by the other arrays.
  if (wanted[batch] === 1 && shape[0] === 1 && shape[batch] === 1 && fits(shape, wanted, null)) {
    return { constant: await rows.read([0]) };
  }
  const own = batch > 0 && shape.length === wanted.length && fits(shape, wanted, batch);
  if (!own || !rows.along) return { rows };
  const rest = wanted.filter((_, i) => i !== batch);
  const first = fits(shape.slice(1), rest, null);
  if (first && !port.batchNamed) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected to know where the samples of "${port.name}" lie, [${shape.join(",")}] can have ${shape[0]} in front or ${shape[batch]} on axis ${batch}`,
      { at: rows.name, hint: `"?axis=0" or "?axis=${batch}" behind the path says it` },
    );
  }
  return { rows: rows.along(batch) };
}

/** One tensor of the input's own shape, or samples that are all equal; else samples that run one by one. */
async function heldForAll(rows: ArrayRows, wanted: NonNullable<InputPort["shape"]>): Promise<Placed> {
  const { shape, dtype } = rows;
  const count = shape[0]!;
  const all = () => rows.read(Array.from({ length: count }, (_, i) => i));
  if (shape.length === wanted.length && fits(shape, wanted, null)) return { constant: await all() };
  const one = wanted.length === 0 ? shape.length === 1 : shape.length === wanted.length + 1;
  const bytes = byteLength(
    dtype,
    shape.reduce((a, b) => a * b, 1),
  );
  if (!one || count === 0 || bytes > smallBytes) return { rows };
  const tensor = await all();
  const first = gatherRows(tensor, [0]);
  for (let i = 1; i < count; i++) if (!sameNumbers(first, gatherRows(tensor, [i]))) return { rows };
  return { constant: first.reshape(first.shape.slice(1)) };
}

function fits(got: readonly number[], wanted: NonNullable<InputPort["shape"]>, batch: number | null): boolean {
  return (
    got.length === wanted.length &&
    wanted.every((dim, axis) => axis === batch || typeof dim !== "number" || dim === got[axis])
  );
}
