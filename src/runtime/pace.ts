/** Lets signals, timers and I/O run now and then: often enough for Ctrl-C, seldom enough to cost nothing. */
import { breathe } from "../base/inner.ts";

/** A timer of the platform takes a millisecond or more, which short runs must not pay each time. */
const between = 50;

/** A function that breathes when the last breath is 50 ms ago; call it after every run. */
export function pacer(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < between) return;
    await breathe();
    last = performance.now();
  };
}
