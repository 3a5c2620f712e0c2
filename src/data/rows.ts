/** Samples inside batches: taking, joining and counting rows of the first axis. */
import { AvocetError } from "../base/index.ts";
import { arrayKind, type Feeds, Tensor } from "../tensor/index.ts";

type Numbers = Float32Array;

/** Rows `start` to `end` of a tensor; a view. */
export function sliceRows(tensor: Tensor, start: number, end: number): Tensor {
  const width = rowLength(tensor);
  const data = (tensor.data as Numbers).subarray(start * width, end * width);
  return Tensor.of(tensor.dtype, [end - start, ...tensor.shape.slice(1)], data);
}

/** Rows `start` to `end` of every tensor; views. */
export function sliceFeeds(feeds: Feeds, start: number, end: number): Feeds {
  return mapFeeds(feeds, (tensor) => sliceRows(tensor, start, end));
}

/** The named rows of a tensor, copied. */
export function gatherRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const width = rowLength(tensor);
  const from = tensor.data as Numbers;
  const to = new (arrayKind(tensor.dtype))(rows.length * width) as Numbers;
  rows.forEach((row, i) => {
    to.set(from.subarray(row * width, (row + 1) * width), i * width);
  });
  return Tensor.of(tensor.dtype, [rows.length, ...tensor.shape.slice(1)], to);
}

/** Batches joined on the first axis. Throws `data/wrong-shape` when they differ in anything else. */
export function joinFeeds(parts: readonly Feeds[], at: string): Feeds {
  const [first] = parts;
  if (!first || parts.length === 1) return first ?? {};
  return Object.fromEntries(
    Object.keys(first).map((name) => [
      name,
      joinRows(
        parts.map((part) => part[name]),
        `${at}, input "${name}"`,
      ),
    ]),
  );
}

function joinRows(parts: readonly (Tensor | undefined)[], at: string): Tensor {
  const first = parts[0]!;
  const shape = first.shape.slice(1);
  let rows = 0;
  for (const part of parts) {
    if (part?.dtype !== first.dtype || part.shape.slice(1).join() !== shape.join()) {
      const got = part ? `${part.dtype}[${part.shape.slice(1).join(",")}]` : "none";
      throw new AvocetError(
        "data/wrong-shape",
        `expected samples all alike, ${first.dtype}[${shape.join(",")}], got ${got}`,
        {
          at,
          hint: 'make pictures equal in size, for example "preprocess": {"resize": {"short": 256}, "crop": 224}',
        },
      );
    }
    rows += part.shape[0]!;
  }
  const joined = new (arrayKind(first.dtype))(rows * rowLength(first)) as Numbers;
  let offset = 0;
  for (const part of parts) {
    joined.set(part!.data as Numbers, offset);
    offset += (part!.data as Numbers).length;
  }
  return Tensor.of(first.dtype, [rows, ...shape], joined);
}

/** How many samples a batch has. Throws `data/wrong-shape` when its inputs disagree or one has no first axis. */
export function rowsOfFeeds(feeds: Feeds, at: string): number {
  const counts = Object.entries(feeds).map(([name, tensor]) => [name, tensor.shape[0]] as const);
  const count = counts[0]?.[1];
  if (count === undefined || counts.some(([, other]) => other !== count)) {
    const got = counts.map(([name, n]) => `${name}: ${n ?? "a scalar"}`).join(", ");
    throw new AvocetError(
      "data/wrong-shape",
      `expected the same number of samples on every first axis, got ${got || "nothing"}`,
      {
        at,
      },
    );
  }
  return count;
}

/** The same names with other tensors. */
export function mapFeeds(feeds: Feeds, change: (tensor: Tensor, name: string) => Tensor): Feeds {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, change(tensor, name)]));
}

/** Host elements of one sample. */
function rowLength(tensor: Tensor): number {
  const rows = tensor.shape[0]!;
  return rows === 0 ? 0 : (tensor.data as Numbers).length / rows;
}
