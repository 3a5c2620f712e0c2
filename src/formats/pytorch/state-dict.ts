/** Weights that torch.save wrote: zip archives and the older form, which is pickles one after the other and then the data. */
import { AvocetError, ByteReader } from "../../base/inner.ts";
import { byteLength, type DType, type Tensor } from "../../tensor/inner.ts";
import { Archive } from "../archive.ts";
import { type ByteSource, plainBytes, rangeOf } from "../byte-source.ts";
import type { Weights } from "../weights.ts";
import { Called, Global, Persistent, type Pickled, readPickle } from "./pickle.ts";
import { stridedTensor } from "./strided.ts";

/** The element types of storages by the names of their classes. */
const storageTypes: Readonly<Record<string, DType>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

const exportLine = 'in Python: torch.export.save(torch.export.export(model.eval(), (example,)), "model.pt2")';

interface StorageId {
  readonly dtype: DType;
  readonly key: string;
}

/**
 * The tensors of a state dictionary, by name; the largest dictionary of tensors where a checkpoint holds several things. Throws
 * `import/malformed`, `import/truncated`, `import/too-large`, and `import/unknown-format` for TorchScript and for whole objects.
 */
export function readStateDict(source: ByteSource): Weights {
  const isZip = source.size > 0 && source.read(0, 1)[0] === 0x50;
  return isZip ? fromArchive(source) : fromPickles(source);
}

/** The dictionary of tensors that a zip archive holds, which may have none: what `readStateDict` throws but for that. */
export function fromArchive(source: ByteSource, mayBeEmpty = false): Weights {
  const { name: file } = source;
  const archive = new Archive(source);
  const path = archive.names.find((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  const prefix = path?.slice(0, -"data.pkl".length) ?? "";
  if (archive.has(`${prefix}constants.pkl`) || archive.names.some((name) => name.startsWith(`${prefix}code/`))) {
    throw new AvocetError("import/unknown-format", "expected weights, got a TorchScript program", {
      at: file,
      hint: exportLine,
    });
  }
  if (path === undefined)
    throw new AvocetError("import/malformed", "expected data.pkl in the archive, got none", { at: file });
  const order = archive.bytes(`${prefix}byteorder`);
  if (order && new TextDecoder().decode(order).trim() === "big") {
    throw new AvocetError("import/unsupported-type", "expected numbers of little endian, got big", { at: file });
  }
  const { value } = readPickle(archive.bytes(path)!, file);
  return weightsOf(value, file, ({ key }) => archive.source(`${prefix}data/${key}`), mayBeEmpty);
}

/** What the pickles in front of the data are tried with first: those of most networks are shorter. */
const firstRead = 2 ** 20;

/** Magic number, version, facts of the machine, the object, the names of the storages; then each storage with its length. */
function fromPickles(source: ByteSource): Weights {
  const { name: file } = source;
  const { values, end } = picklesAtStart(source);
  const [, , machine, object, keys] = values;
  if (machine instanceof Map && machine.get("little_endian") === false) {
    throw new AvocetError("import/unsupported-type", "expected numbers of little endian, got big", { at: file });
  }
  if (!Array.isArray(keys)) throw new AvocetError("import/malformed", "expected the names of storages", { at: file });
  const types = storagesIn(object!, file);
  const storages = new Map<string, ByteSource>();
  let at = end;
  for (const key of keys as readonly Pickled[]) {
    const dtype = types.get(String(key));
    if (!dtype)
      throw new AvocetError("import/malformed", `expected a tensor in the storage ${String(key)}`, { at: file });
    const count = new ByteReader(plainBytes(source.read(at, Math.min(8, source.size - at))), file).u64();
    const size = byteLength(dtype, Number(count));
    at += 8;
    if (at + size > source.size) {
      throw new AvocetError("import/truncated", `expected ${size} bytes at offset ${at}, the file has ${source.size}`, {
        at: file,
      });
    }
    storages.set(String(key), rangeOf(source, at, size));
    at += size;
  }
  return weightsOf(object!, file, ({ key }) => storages.get(key));
}

/** Nothing says how long the pickles are: as long as they end beyond what was read, more is. */
function picklesAtStart(source: ByteSource): { readonly values: readonly Pickled[]; readonly end: number } {
  for (let length = firstRead; ; length *= 4) {
    const most = Math.min(length, source.size);
    try {
      return fivePickles(plainBytes(source.read(0, most)), source.name);
    } catch (error) {
      if (!AvocetError.is(error) || error.code !== "import/truncated" || most === source.size) throw error;
    }
  }
}

function fivePickles(bytes: Uint8Array, file: string) {
  const values: Pickled[] = [];
  let at = 0;
  for (let i = 0; i < 5; i++) {
    const { value, end } = readPickle(bytes.subarray(at), file);
    values.push(value);
    at += end;
    // The first number tells this form from a pickle of something else.
    if (i === 0 && value !== legacyMagic) {
      throw new AvocetError("import/unknown-format", "expected a file of torch.save, got another pickle", { at: file });
    }
  }
  return { values, end: at };
}

const legacyMagic = 0x1950a86a20f9469cfc6cn;

/** All storages that the tensors of an object name. */
function storagesIn(object: Pickled, file: string): Map<string, DType> {
  const found = new Map<string, DType>();
  for (const dictionary of dictionariesOf(object)) {
    for (const value of dictionary.values()) {
      const storage = tensorCall(value)?.[0];
      if (!storage) continue;
      const { key, dtype } = storageOf(storage, file);
      found.set(key, dtype);
    }
  }
  return found;
}

function weightsOf(
  object: Pickled,
  file: string,
  storage: (id: StorageId) => ByteSource | undefined,
  mayBeEmpty = false,
): Weights {
  const tensors = new Map<string, Tensor>();
  const candidates = dictionariesOf(object).map((dictionary) =>
    [...dictionary].flatMap(([name, value]) => {
      const call = tensorCall(value);
      return typeof name === "string" && call ? [[name, call] as const] : [];
    }),
  );
  const largest = candidates.reduce<(typeof candidates)[number]>((a, b) => (b.length > a.length ? b : a), []);
  if (largest.length === 0 && candidates.length > 0 && mayBeEmpty) return { tensors, metadata: new Map() };
  if (largest.length === 0) {
    throw new AvocetError("import/unknown-format", `expected a dictionary of tensors, got ${describe(object)}`, {
      at: file,
      hint: `save the weights alone: torch.save(model.state_dict(), file); or the program, ${exportLine}`,
    });
  }
  const storages = new Map<string, ByteSource>();
  const views = new Map<string, Tensor>();
  for (const [name, [source, offset, size, strides]] of largest) {
    const id = storageOf(source!, file);
    const found = storages.get(id.key) ?? storage(id);
    if (!found) throw new AvocetError("import/malformed", `expected the storage of ${name}, got none`, { at: file });
    const view = { dtype: id.dtype, shape: numbers(size), strides: numbers(strides), offset: Number(offset) };
    storages.set(id.key, found);
    // Tied weights are one tensor.
    const key = JSON.stringify([id.key, view]);
    const tensor = views.get(key) ?? stridedTensor(found, view, `${file}: ${name}`);
    views.set(key, tensor);
    tensors.set(name, tensor);
  }
  return { tensors, metadata: new Map() };
}

/** The object, and what lies directly in it, as far as those are dictionaries. */
function dictionariesOf(object: Pickled): ReadonlyMap<Pickled, Pickled>[] {
  const own = dictionaryOf(object);
  if (!own) return [];
  return [own, ...[...own.values()].flatMap((value) => dictionaryOf(value) ?? [])];
}

function dictionaryOf(value: Pickled): ReadonlyMap<Pickled, Pickled> | undefined {
  if (value instanceof Map) return value;
  const isOrdered =
    value instanceof Called && value.of instanceof Global && value.of.name === "collections.OrderedDict";
  return isOrdered ? value.items : undefined;
}

/** Storage, offset, size and strides of what rebuilds a tensor; a parameter has its tensor inside. */
function tensorCall(value: Pickled): readonly Pickled[] | undefined {
  if (!(value instanceof Called) || !(value.of instanceof Global) || !Array.isArray(value.args)) return undefined;
  const args = value.args as readonly Pickled[];
  if (/^torch\._utils\._rebuild_tensor(_v2)?$/.test(value.of.name)) return args.length >= 4 ? args : undefined;
  if (!/^torch\._utils\._rebuild_parameter(_with_state)?$/.test(value.of.name) || args[0] === value) return undefined;
  const inner = args[0];
  const isTensor = inner instanceof Called && inner.of instanceof Global && /_rebuild_tensor/.test(inner.of.name);
  return isTensor ? tensorCall(inner) : undefined;
}

function storageOf(source: Pickled, file: string): StorageId {
  const id = source instanceof Persistent ? source.id : undefined;
  const [what, type, key] = Array.isArray(id) ? (id as readonly Pickled[]) : [];
  const name = type instanceof Global ? type.name.replace(/^.*\./, "") : "";
  const dtype = Object.hasOwn(storageTypes, name) ? storageTypes[name] : undefined;
  if (what === "storage" && dtype && typeof key === "string") return { dtype, key };
  throw new AvocetError("import/unsupported-type", `expected a storage of numbers, got ${name || "something else"}`, {
    at: file,
  });
}

const numbers = (value: Pickled | undefined): number[] =>
  Array.isArray(value) ? (value as readonly Pickled[]).map(Number) : [Number.NaN];

function describe(object: Pickled): string {
  if (object instanceof Called && object.of instanceof Global) return `an object of ${object.of.name.slice(0, 100)}`;
  return dictionaryOf(object) ? "one without tensors" : "something else";
}
