/** Datasets and attributes of an HDF5 file: element types, shapes, and the bytes, whole or in compressed chunks. */
import { AvocetError } from "../../base/inner.ts";
import { inflateUpTo } from "../../base/inner-files.ts";
import { byteLength, type DType, sizeOf, Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import type { Message } from "./object.ts";
import { type Cursor, type Space, textOf } from "./space.ts";

/** What elements are: numbers, texts of a length, or texts that lie elsewhere. */
type Elements =
  | { readonly kind: "numbers"; readonly dtype: DType; readonly size: number }
  | { readonly kind: "text"; readonly size: number }
  | { readonly kind: "far text"; readonly size: number };

const [dataspace, datatype, layoutOf, filterPipeline, attribute] = [0x01, 0x03, 0x08, 0x0b, 0x0c];
const attributeInfo = 0x15;

/** What deflate can make of one byte at most. */
const inflateRatio = 1032;

function elementsOf(body: Cursor): Elements {
  const { space } = body;
  const first = body.u8();
  const bits = [body.u8(), body.u8(), body.u8()];
  const size = body.u32();
  const kind = first & 15;
  if (kind <= 1 && (bits[0]! & 1) !== 0) throw space.unsupported("numbers with the highest byte first");
  if (kind === 1 && size >= 2 && size <= 8) return { kind: "numbers", dtype: `float${8 * size}` as DType, size };
  if (kind === 0 && [1, 2, 4, 8].includes(size)) {
    return { kind: "numbers", dtype: `${(bits[0]! & 8) === 0 ? "u" : ""}int${8 * size}` as DType, size };
  }
  // Truth values are an enumeration of bytes.
  if (kind === 8 && size === 1) return { kind: "numbers", dtype: "bool", size };
  if (kind === 3) return { kind: "text", size };
  if (kind === 9 && (bits[0]! & 15) === 1) return { kind: "far text", size };
  throw space.unsupported(`elements of class ${kind} with ${size} bytes`);
}

function shapeOf(body: Cursor): number[] {
  const version = body.u8();
  const rank = body.u8();
  body.skip(version === 1 ? 6 : 2);
  if (rank > limits.rank) throw body.space.broken(`expected at most ${limits.rank} dimensions, got ${rank}`);
  return Array.from({ length: rank }, () => body.u64());
}

/** The tensor of a dataset; undefined for an object that is none. Data is read when it is looked at. */
export function tensorOf(space: Space, messages: readonly Message[], name: string): Tensor | undefined {
  const find = (type: number) => messages.find((message) => message.type === type)?.body();
  const [type, extent, layout] = [find(datatype), find(dataspace), find(layoutOf)];
  if (!type || !extent || !layout) return undefined;
  const elements = elementsOf(type);
  if (elements.kind !== "numbers") throw space.unsupported(`texts in the dataset ${name}`);
  const shape = shapeOf(extent);
  const { dtype } = elements;
  const length = byteLength(dtype, sizeOf(shape));
  if (!(length <= limits.tensorBytes)) {
    throw new AvocetError(
      "import/too-large",
      `expected a tensor of at most ${limits.tensorBytes} bytes, got ${length}`,
      {
        at: `${space.name}: ${name}`,
      },
    );
  }
  const filters = filtersOf(space, find(filterPipeline));
  const read = readerOf(space, layout, { shape, width: elements.size, length, filters });
  return Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, read()).data);
}

interface Stored {
  readonly shape: readonly number[];
  readonly width: number;
  readonly length: number;
  readonly filters: readonly Filter[];
}

/** Checks where the bytes lie; what it returns reads them. */
function readerOf(space: Space, layout: Cursor, stored: Stored): () => Uint8Array {
  const version = layout.u8();
  if (version !== 3 && version !== 4) throw space.unsupported(`a data layout of version ${version}`);
  const kind = layout.u8();
  const { length } = stored;
  if (kind === 0) {
    const bytes = layout.take(layout.u16()).subarray(0, length);
    if (bytes.length !== length) throw space.broken(`expected ${length} bytes in a header, got ${bytes.length}`);
    return () => bytes;
  }
  if (kind === 1) {
    const address = layout.address();
    if (length === 0) return () => new Uint8Array();
    if (address === undefined) throw space.broken("expected the data of a dataset, got none");
    space.at(address, length);
    return () => space.at(address, length).take(length);
  }
  if (kind !== 2 || version !== 3) throw space.unsupported(`data in a layout of kind ${kind} and version ${version}`);
  return chunksOf(space, layout, stored);
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Filters that were left out, a bit for each. */
  readonly mask: number;
  readonly at: readonly number[];
}

function chunksOf(space: Space, layout: Cursor, { shape, width, length, filters }: Stored): () => Uint8Array {
  const rank = layout.u8() - 1;
  const tree = layout.address();
  const lengths = Array.from({ length: Math.max(rank, 0) }, () => layout.u32());
  if (rank !== shape.length || lengths.some((one) => one < 1) || layout.u32() !== width) {
    throw space.broken(`expected chunks of [${shape.join(",")}], got [${lengths.join(",")}]`);
  }
  const size = sizeOf(lengths) * width;
  const chunks: Chunk[] = [];
  if (tree !== undefined) readChunks(space, tree, rank, chunks, 0);
  const packed = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  // A chunk may reach beyond the end of its axes, but holds no more than deflate can make of what is there.
  if (!(size <= limits.tensorBytes) || Math.max(size, length) > (packed + 1) * inflateRatio) {
    throw new AvocetError(
      "import/too-large",
      `expected sizes that ${packed} bytes can hold, got ${Math.max(size, length)}`,
      {
        at: space.name,
      },
    );
  }
  return () => {
    const all = new Uint8Array(length);
    for (const chunk of chunks)
      place(all, unfiltered(space, chunk, { size, width, filters }), { shape, lengths, at: chunk.at, width });
    return all;
  };
}

const deepest = 40;

function readChunks(space: Space, address: number, rank: number, chunks: Chunk[], depth: number): void {
  const node = space.at(address);
  node.signature("TREE");
  const type = node.u8();
  const level = node.u8();
  if (type !== 1 || depth > deepest) throw space.broken("expected a tree of chunks");
  const count = node.u16();
  node.skip(16);
  for (let i = 0; i < count; i++) {
    space.count(1);
    const size = node.u32();
    const mask = node.u32();
    const at = Array.from({ length: rank + 1 }, () => node.u64()).slice(0, rank);
    const child = node.u64();
    if (level > 0) readChunks(space, child, rank, chunks, depth + 1);
    else chunks.push({ bytes: space.at(child, size).take(size), mask, at });
  }
}

interface Places {
  readonly shape: readonly number[];
  readonly lengths: readonly number[];
  readonly at: readonly number[];
  readonly width: number;
}

/** Copies rows of a chunk to where they belong; what reaches beyond the end is left out. */
function place(all: Uint8Array, chunk: Uint8Array, { shape, lengths, at, width }: Places): void {
  const rank = shape.length;
  if (at.some((start, axis) => start >= shape[axis]!)) return;
  const row = Math.min(lengths[rank - 1] ?? 1, (shape[rank - 1] ?? 1) - (at[rank - 1] ?? 0)) * width;
  const used = lengths.slice(0, -1).map((length, axis) => Math.min(length, shape[axis]! - at[axis]!));
  const index = used.map(() => 0);
  for (;;) {
    let [from, to] = [0, 0];
    for (let axis = 0; axis < rank; axis++) {
      from = from * lengths[axis]! + (index[axis] ?? 0);
      to = to * shape[axis]! + at[axis]! + (index[axis] ?? 0);
    }
    all.set(chunk.subarray(from * width, from * width + row), to * width);
    let axis = used.length - 1;
    while (axis >= 0 && ++index[axis]! >= used[axis]!) index[axis--] = 0;
    if (axis < 0) return;
  }
}

type Filter = "deflate" | "shuffle" | "checksum";
const filterNames: readonly (Filter | undefined)[] = [undefined, "deflate", "shuffle", "checksum"];

function filtersOf(space: Space, body: Cursor | undefined): Filter[] {
  if (!body) return [];
  const version = body.u8();
  const count = body.u8();
  if (version === 1) body.skip(6);
  return Array.from({ length: count }, () => {
    const id = body.u16();
    const hasName = version === 1 || id >= 256;
    const nameLength = hasName ? body.u16() : 0;
    body.skip(2);
    const values = body.u16();
    body.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    body.skip(4 * (version === 1 ? values + (values % 2) : values));
    const filter = filterNames[id];
    if (!filter) throw space.unsupported(`data behind filter ${id}`);
    return filter;
  });
}

/** The bytes of a chunk before they were filtered, from the last filter to the first. */
function unfiltered(
  space: Space,
  { bytes, mask }: Chunk,
  { size, width, filters }: { readonly size: number; readonly width: number; readonly filters: readonly Filter[] },
): Uint8Array {
  let made = bytes;
  for (let i = filters.length - 1; i >= 0; i--) {
    if ((mask >>> i) & 1) continue;
    if (filters[i] === "checksum") made = made.subarray(0, -4);
    else if (filters[i] === "deflate") {
      try {
        made = inflateUpTo(made, size + 4, "zlib").bytes;
      } catch (cause) {
        throw new AvocetError("import/malformed", "expected deflated bytes", { at: space.name, cause });
      }
    } else made = unshuffled(made, width);
  }
  if (made.length === size) return made;
  throw space.broken(`expected a chunk of ${size} bytes, got ${made.length}`);
}

/** All first bytes of the elements, then all second ones: back to element after element. */
function unshuffled(bytes: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(bytes.length / width);
  const made = bytes.slice();
  for (let i = 0; i < count; i++) for (let b = 0; b < width; b++) made[i * width + b] = bytes[b * count + i]!;
  return made;
}

/** The attributes of an object that are texts or lists of texts, by name; numbers are left out. */
export function textsOf(space: Space, messages: readonly Message[]): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { type, body } of messages) {
    if (type === attribute) addAttribute(space, body(), found);
    if (type !== attributeInfo) continue;
    const info = body();
    info.skip(1);
    if (info.u8() & 1) info.skip(2);
    if (info.address() !== undefined) throw space.unsupported("an object with a heap of attributes");
  }
  return found;
}

function addAttribute(space: Space, body: Cursor, found: Map<string, readonly string[]>): void {
  const version = body.u8();
  const flags = body.u8();
  if (version > 1 && flags !== 0) throw space.unsupported("an attribute of a shared type");
  const sizes = [body.u16(), body.u16(), body.u16()];
  if (version === 3) body.skip(1);
  const part = (length: number): Cursor => {
    const cursor = body.part(length);
    if (version === 1) body.align(8);
    return cursor;
  };
  const name = textOf(part(sizes[0]!).take(sizes[0]!));
  const [type, extent] = [part(sizes[1]!), part(sizes[2]!)];
  let elements: Elements;
  try {
    elements = elementsOf(type);
  } catch (error) {
    // Attributes that nobody asks for may be of any type.
    if (AvocetError.is(error) && error.code === "import/unsupported-type") return;
    throw error;
  }
  if (elements.kind === "numbers") return;
  const { kind, size } = elements;
  const count = sizeOf(shapeOf(extent));
  if (!(count * size <= body.left)) throw space.broken(`expected ${count} texts in the attribute ${name}`);
  space.count(count);
  found.set(
    name,
    Array.from({ length: count }, () => (kind === "text" ? textOf(body.take(size)) : farText(space, body))),
  );
}

/** A text in a heap of the file: its length, the heap's address, and a number in it. */
function farText(space: Space, body: Cursor): string {
  const length = body.u32();
  const heap = body.u64();
  const wanted = body.u32();
  const head = space.at(heap);
  head.signature("GCOL");
  head.skip(4);
  const size = head.u64();
  const objects = space.at(heap + 16, Math.max(size - 16, 0));
  while (objects.left >= 16) {
    space.count(1);
    const index = objects.u16();
    objects.skip(6);
    const bytes = objects.u64();
    if (index === wanted) return textOf(objects.take(bytes).subarray(0, length));
    // Number 0 is what is free up to the end.
    if (index === 0) break;
    objects.skip(Math.min(Math.ceil(bytes / 8) * 8, objects.left));
  }
  throw space.broken(`expected text ${wanted} in the heap at ${heap}`);
}
