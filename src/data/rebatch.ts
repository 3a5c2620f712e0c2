/** Pieces of any number of samples, made into batches. */
import type { Feeds } from "../tensor/index.ts";
import type { Batch } from "./dataset.ts";
import { joinFeeds, rowsOfFeeds, sliceFeeds } from "./rows.ts";

/** Pieces of any number of samples become batches of `size`, but for the last. */
export async function* rebatch(pieces: AsyncIterable<Feeds>, size: number, at: string): AsyncGenerator<Batch> {
  let held: Feeds[] = [];
  let rows = 0;
  let first = 0;
  const take = (count: number): Batch => {
    const whole = joinFeeds(held, at);
    const batch = { feeds: sliceFeeds(whole, 0, count), first, size: count };
    held = count === rows ? [] : [sliceFeeds(whole, count, rows)];
    rows -= count;
    first += count;
    return batch;
  };
  for await (const piece of pieces) {
    held.push(piece);
    rows += rowsOfFeeds(piece, at);
    while (rows >= size) yield take(size);
  }
  if (rows > 0) yield take(rows);
}
