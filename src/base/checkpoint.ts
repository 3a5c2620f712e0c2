/**
 * Checkpoints: long work leaves what it has finished under a key, and an interrupted run that starts again takes it from
 * there instead of doing it again. What is kept under a key must be all that the work would have given.
 */

export interface Checkpoint {
  /** What was saved under a key; undefined when nothing was, or when it is damaged. */
  load(key: string): Promise<Uint8Array | undefined>;
  /** Keeps bytes under a key, whole or not at all; what was there is replaced. */
  save(key: string, bytes: Uint8Array): Promise<void>;
}

/** The part of a checkpoint whose keys start with `prefix/`: work inside other work needs to know no other keys. */
export function checkpointUnder(checkpoint: Checkpoint, prefix: string): Checkpoint {
  return {
    load: (key) => checkpoint.load(`${prefix}/${key}`),
    save: (key, bytes) => checkpoint.save(`${prefix}/${key}`, bytes),
  };
}

/** What `compute` returns, which must be JSON: from the checkpoint where it has it, else computed and saved there. */
export async function remembered<T>(
  checkpoint: Checkpoint | undefined,
  key: string,
  compute: () => Promise<T>,
): Promise<T> {
  const known = await checkpoint?.load(key);
  if (known) return unpackRecord(known).facts as T;
  const facts = await compute();
  await checkpoint?.save(key, packRecord({ facts, arrays: {} }));
  return facts;
}

const arrayKinds = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  uint8: Uint8Array,
} as const;
type Kind = keyof typeof arrayKinds;

/** The arrays that a record may hold. */
export type CheckpointArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** What is saved: facts that are JSON, and arrays by name, both bit for bit. */
export interface CheckpointRecord {
  readonly facts: unknown;
  readonly arrays: Readonly<Record<string, CheckpointArray>>;
}

interface Header {
  readonly facts: unknown;
  readonly arrays: readonly (readonly [name: string, kind: Kind, length: number])[];
}

/** A record as bytes: the length of a JSON header, the header, the arrays, each at a multiple of eight. */
export function packRecord({ facts, arrays }: CheckpointRecord): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(arrays);
  const header: Header = { facts, arrays: entries.map(([name, array]) => [name, kindOf(array), array.length]) };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const size = entries.reduce((sum, [, array]) => sum + aligned(array.byteLength), aligned(4 + text.length));
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = aligned(4 + text.length);
  for (const [, array] of entries) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += aligned(array.byteLength);
  }
  return bytes;
}

/** Reads what `packRecord` made. The arrays are copies. */
export function unpackRecord(bytes: Uint8Array): CheckpointRecord {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Header;
  let at = aligned(4 + length);
  const arrays = header.arrays.map(([name, kind, count]) => {
    const make = arrayKinds[kind];
    const size = count * make.BYTES_PER_ELEMENT;
    // Not slice: that of a Buffer shares the memory.
    const own = Uint8Array.from(bytes.subarray(at, at + size));
    at += aligned(size);
    return [name, new make(own.buffer)] as const;
  });
  return { facts: header.facts, arrays: Object.fromEntries(arrays) };
}

function kindOf(array: CheckpointArray): Kind {
  const [kind] = Object.entries(arrayKinds).find(([, make]) => array instanceof make)!;
  return kind as Kind;
}

function aligned(size: number): number {
  return Math.ceil(size / 8) * 8;
}
