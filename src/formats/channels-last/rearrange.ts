/** Rearrangements made of slices, reshapes and transposes: reversed axes, mirrored edges, blocks of space in the batch. */
import type { Dim } from "../../ir/inner.ts";
import { concat } from "./axes.ts";
import type { Emitter } from "./emitter.ts";
import { pad } from "./pad.ts";
import { reshape, transpose } from "./reshape.ts";
import { slice } from "./slice.ts";
import type { Term } from "./term.ts";

/** The elements of these axes from last to first. */
export const reversed = (e: Emitter, x: Term, axes: readonly number[]): Term =>
  slice(
    e,
    x,
    axes.map((axis) => ({ axis, start: null, end: null, step: -1 })),
  );

/** Padding that repeats the edge itself before what lies behind it, which ONNX's modes do not have. */
export function symmetricPad(e: Emitter, x: Term, pads: readonly (readonly [number, number])[]): Term {
  return pads.reduce((made, [before, after], axis) => {
    const length = made.shape[axis];
    if (before < 0 || after < 0 || (typeof length === "number" && Math.max(before, after) > length)) {
      throw e.broken(`expected at most ${length} mirrored elements, got ${before} and ${after}`);
    }
    const head = slice(e, made, [{ axis, start: 0, end: before, step: 1 }]);
    const tail = slice(e, made, [{ axis, start: -after, end: null, step: 1 }]);
    const parts = [
      before > 0 ? reversed(e, head, [axis]) : undefined,
      made,
      after > 0 ? reversed(e, tail, [axis]) : undefined,
    ];
    return concat(
      e,
      parts.filter((part) => part !== undefined),
      axis,
    );
  }, x);
}

/** The axes from 1 on in blocks, whose places go into the batch: [b, h, w, …] → [b · blocks, h / bh, w / bw, …], block places slowest. */
export function spaceToBatch(
  e: Emitter,
  x: Term,
  blocks: readonly number[],
  pads: readonly (readonly [number, number])[],
): Term {
  const rank = x.shape.length;
  const spread = pad(
    e,
    x,
    Array.from({ length: rank }, (_, axis) => (axis > 0 ? pads[axis - 1] : undefined) ?? ([0, 0] as const)),
  );
  const lengths = blocks.map((block, i) => divided(e, spread.shape[i + 1]!, block));
  const rest = spread.shape.slice(blocks.length + 1);
  // [b, h / bh, bh, w / bw, bw, …] → [bh, bw, b, h / bh, w / bw, …]
  const parts = reshape(e, spread, [spread.shape[0]!, ...blocks.flatMap((block, i) => [lengths[i]!, block]), ...rest]);
  const places = blocks.map((_, i) => 2 * i + 2);
  const others = Array.from({ length: parts.shape.length }, (_, axis) => axis).filter((axis) => !places.includes(axis));
  const moved = transpose(e, parts, [...places, ...others]);
  const count = blocks.reduce((a, b) => a * b, 1);
  const batch = typeof x.shape[0] === "number" ? x.shape[0] * count : -1;
  return reshape(e, moved, [batch, ...lengths, ...rest]);
}

/** The way back; the crops are taken off afterwards. */
export function batchToSpace(
  e: Emitter,
  x: Term,
  blocks: readonly number[],
  crops: readonly (readonly [number, number])[],
): Term {
  const count = blocks.reduce((a, b) => a * b, 1);
  const first = x.shape[0]!;
  const batch: Dim = typeof first === "number" ? divided(e, first, count) : -1;
  const [lengths, rest] = [x.shape.slice(1, blocks.length + 1), x.shape.slice(blocks.length + 1)];
  const parts = reshape(e, x, [...blocks, batch, ...lengths, ...rest]);
  const n = blocks.length;
  const perm = [n, ...blocks.flatMap((_, i) => [n + 1 + i, i]), ...rest.map((_, i) => 2 * n + 1 + i)];
  const moved = transpose(e, parts, perm);
  const whole = lengths.map((length, i) => (typeof length === "number" ? length * blocks[i]! : null));
  if (whole.includes(null)) throw e.fail("expected known lengths of blocks");
  const joined = reshape(e, moved, [typeof batch === "number" ? batch : -1, ...whole, ...rest]);
  return slice(
    e,
    joined,
    crops.map(([before, after], i) => ({ axis: i + 1, start: before, end: after === 0 ? null : -after, step: 1 })),
  );
}

function divided(e: Emitter, length: Dim, block: number): number {
  if (!Number.isSafeInteger(block) || block < 1) throw e.broken(`expected a block, got ${block}`);
  if (typeof length !== "number") throw e.fail("expected known lengths to divide into blocks");
  if (length % block === 0) return length / block;
  throw e.broken(`expected a length that blocks of ${block} divide, got ${length}`);
}
