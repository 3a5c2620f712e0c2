/**
 * Which scale group each element of a value belongs to. A layout has the rank of its value; each of its lengths is that of
 * the value, or 1 where the groups do not change along the axis. Operators that move data move layouts alike.
 */

export interface Layout {
  readonly dims: readonly number[];
  /** Group of each place, row-major over `dims`. */
  readonly ids: Int32Array;
}

/** Layouts larger than this are given up: their values keep their scale. */
const limit = 1 << 22;

/** A layout whose groups change along one axis. */
export function alongAxis(rank: number, axis: number, ids: Int32Array): Layout {
  return { dims: Array.from({ length: rank }, (_, a) => (a === axis ? ids.length : 1)), ids };
}

/** The same layout with these lengths on the axes where it had 1; undefined when that is too large. */
export function expand({ dims, ids }: Layout, wanted: readonly number[]): Layout | undefined {
  const size = sizeOf(wanted);
  if (size > limit) return undefined;
  const steps = stridesOf(dims);
  const made = new Int32Array(size);
  forEachPlace(wanted, (place, index) => {
    let at = 0;
    for (let a = 0; a < wanted.length; a++) if (dims[a] !== 1) at += place[a]! * steps[a]!;
    made[index] = ids[at]!;
  });
  return { dims: wanted, ids: made };
}

/** The lengths of two layouts broadcast together, right-aligned as ONNX does. */
export function broadcastDims(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  const from = (dims: readonly number[], i: number) => dims[i - (rank - dims.length)] ?? 1;
  return Array.from({ length: rank }, (_, i) => Math.max(from(a, i), from(b, i)));
}

/** With axes of length 1 in front, up to this rank. */
export function padRank({ dims, ids }: Layout, rank: number): Layout {
  return { dims: [...Array.from({ length: rank - dims.length }, () => 1), ...dims], ids };
}

export function transpose({ dims, ids }: Layout, perm: readonly number[]): Layout {
  const steps = stridesOf(dims);
  const moved = perm.map((axis) => dims[axis]!);
  const made = new Int32Array(ids.length);
  forEachPlace(moved, (place, index) => {
    let at = 0;
    for (let a = 0; a < perm.length; a++) at += place[a]! * steps[perm[a]!]!;
    made[index] = ids[at]!;
  });
  return { dims: moved, ids: made };
}

/**
 * Reshape: the axes of both shapes are matched in runs of equal products; a run in which the groups change is written
 * out in full, every other run stays uniform.
 */
export function reshape(layout: Layout, from: readonly number[], to: readonly number[]): Layout | undefined {
  if (sizeOf(from) === 0 || sizeOf(from) !== sizeOf(to)) return undefined;
  const full = [...layout.dims];
  const dims: number[] = [];
  for (let i = 0, j = 0; i < from.length || j < to.length; ) {
    const [i0, j0] = [i, j];
    let a = from[i++] ?? 1;
    let b = to[j++] ?? 1;
    while (a !== b) {
      if (a < b) a *= from[i++]!;
      else b *= to[j++]!;
    }
    const changes = layout.dims.slice(i0, i).some((d) => d !== 1);
    for (let k = i0; k < Math.min(i, from.length); k++) full[k] = changes ? from[k]! : 1;
    for (let k = j0; k < Math.min(j, to.length); k++) dims.push(changes ? to[k]! : 1);
  }
  const written = expand(layout, full);
  return written && { dims, ids: written.ids };
}

/** Elements picked along an axis; a uniform axis stays so. */
export function pick(layout: Layout, axis: number, indices: readonly number[]): Layout {
  if (layout.dims[axis] === 1) return layout;
  const steps = stridesOf(layout.dims);
  const dims = layout.dims.map((d, a) => (a === axis ? indices.length : d));
  const ids = new Int32Array(sizeOf(dims));
  forEachPlace(dims, (place, index) => {
    let at = 0;
    for (let a = 0; a < dims.length; a++) at += (a === axis ? indices[place[a]!]! : place[a]!) * steps[a]!;
    ids[index] = layout.ids[at]!;
  });
  return { dims, ids };
}

/** Layouts side by side along an axis; `lengths` are those of their values there. */
export function concat(parts: readonly Layout[], axis: number, lengths: readonly number[]): Layout | undefined {
  const common = parts.map((part) => part.dims).reduce(broadcastDims);
  const written = parts.map((part, i) =>
    expand(
      part,
      common.map((d, a) => (a === axis ? lengths[i]! : d)),
    ),
  );
  if (!written.every((part) => part !== undefined)) return undefined;
  const total = lengths.reduce((a, b) => a + b, 0);
  const dims = common.map((d, a) => (a === axis ? total : d));
  const inner = sizeOf(common.slice(axis + 1));
  const outer = sizeOf(common.slice(0, axis));
  if (sizeOf(dims) > limit) return undefined;
  const ids = new Int32Array(sizeOf(dims));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const [i, part] of written.entries()) {
      const run = lengths[i]! * inner;
      ids.set(part.ids.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  }
  return { dims, ids };
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let a = dims.length - 1; a >= 0; a--) {
    strides[a] = step;
    step *= dims[a]!;
  }
  return strides;
}

/** Every place of an array of these lengths, in row-major order. The place is reused. */
function forEachPlace(dims: readonly number[], visit: (place: readonly number[], index: number) => void): void {
  const place = new Array<number>(dims.length).fill(0);
  const size = sizeOf(dims);
  for (let index = 0; index < size; index++) {
    visit(place, index);
    for (let a = dims.length - 1; a >= 0; a--) {
      place[a]!++;
      if (place[a]! < dims[a]!) break;
      place[a] = 0;
    }
  }
}
