/** What the steps of a chain read, put together as X [steps, batch, inputs] of a recurrent operator. */
import type { LengthTable } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import type { Writer } from "../unroll/step.ts";
import type { Source } from "./affine.ts";
import type { Chain } from "./chain.ts";

/** X, and whether the steps go through it from its end. */
export function sequenceOf(
  { inputs }: Chain,
  w: Writer,
  lengths: LengthTable,
): { readonly x: Value; readonly reversed: boolean } {
  const columns = inputs[0]!.map((_, i) => inputs.map((step) => step[i]!));
  const reversed = inputs.length > 1 && columns.some((sources) => walkOf(sources.toReversed(), lengths));
  const parts = columns.map((sources, i) => {
    const inOrder = reversed ? sources.toReversed() : sources;
    return walkOf(inOrder, lengths)?.(w, `x_${i}`) ?? stackOf(inOrder, w, `x_${i}`);
  });
  return { x: parts.length === 1 ? parts[0]! : w.op("Concat", parts, "x", { axis: -1 }), reversed };
}

/** Writes the part of one value that the sources are, one index of an axis after the other; undefined: they are no such thing. */
function walkOf(sources: readonly Source[], lengths: LengthTable): ((w: Writer, hint: string) => Value) | undefined {
  const [{ value, pick } = { value: undefined, pick: undefined }] = sources;
  const shape = lengths.of(value ?? null);
  if (!value || !pick || shape?.length !== 3) return undefined;
  const { axis, index } = pick;
  if (!sources.every((one, t) => one.value === value && one.pick?.axis === axis && one.pick.index === index + t))
    return undefined;
  return (w, hint) => {
    const isWhole = index === 0 && shape[axis] === sources.length;
    const ends = [w.ints(index), w.ints(index + sources.length), w.ints(axis)];
    const part = isWhole ? value : w.op("Slice", [value, ...ends], `${hint}_part`);
    return axis === 0 ? part : w.op("Transpose", [part], hint, { perm: [1, 0, 2] });
  };
}

function stackOf(sources: readonly Source[], w: Writer, hint: string): Value {
  const rows = sources.map(({ value, pick, read }, t) => {
    const row = read ?? (pick ? w.pick(value, pick.index, pick.axis, `${hint}_${t}`) : value);
    return w.op("Unsqueeze", [row, w.ints(0)], `${hint}_row_${t}`);
  });
  return rows.length === 1 ? rows[0]! : w.op("Concat", rows, hint, { axis: 0 });
}
