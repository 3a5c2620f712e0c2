/**
 * How much of what lazy tensors have loaded stays in memory: a budget over all of them. What was loaded first goes first, and is
 * loaded again when someone looks at it, so that a model of gigabytes is never held whole.
 */

/** Models below this are loaded once. Beyond it, reading a weight again costs less than holding it next to the runtime's own copy. */
const budget = 256e6;

export interface Loaded {
  readonly byteLength: number;
  /** Forgets the data. */
  release(): void;
}

// A tensor that nobody needs any more must not be kept for its place in this list.
const order = new Map<WeakRef<Loaded>, number>();
let bytes = 0;

/** Counts data that was just loaded, and drops others until all fit. What it returns takes the data off the list. */
export function countLoaded(tensor: Loaded): () => void {
  const entry = new WeakRef(tensor);
  bytes += tensor.byteLength;
  order.set(entry, tensor.byteLength);
  for (const oldest of order.keys()) {
    if (bytes <= budget || oldest === entry) break;
    const held = oldest.deref();
    forget(oldest);
    held?.release();
  }
  return () => forget(entry);
}

function forget(entry: WeakRef<Loaded>): void {
  bytes -= order.get(entry) ?? 0;
  order.delete(entry);
}
