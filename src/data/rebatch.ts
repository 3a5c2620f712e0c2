/** Pieces of any number of samples, made into batches. */
import type { Feeds } from "../tensor/inner.ts";
import type { Batch, SampleAxes } from "./dataset.ts";
import { canJoin, joinFeeds, rowsOfFeeds, sliceFeeds } from "./rows.ts";

/** Pieces of any number of samples become batches of `size`, fewer at the end and where the next piece is not alike. */
export async function* rebatch(
  pieces: AsyncIterable<Feeds>,
  size: number,
  at: string,
  axes?: SampleAxes,
): AsyncGenerator<Batch> {
  let held: Feeds[] = [];
  let rows = 0;
  let first = 0;
  const take = (count: number): Batch => {
    const whole = joinFeeds(held, at, axes);
    const batch = { feeds: sliceFeeds(whole, 0, count, axes), first, size: count };
    held = count === rows ? [] : [sliceFeeds(whole, count, rows, axes)];
    rows -= count;
    first += count;
    return batch;
  };
  for await (const piece of pieces) {
    const more = rowsOfFeeds(piece, at, axes);
    if (rows > 0 && !canJoin(held[0]!, piece, axes)) yield take(rows);
    held.push(piece);
    rows += more;
    while (rows >= size) yield take(size);
  }
  if (rows > 0) yield take(rows);
}
