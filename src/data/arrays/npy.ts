/** NumPy's .npy files, versions 1 to 3: read whole or by sample, and written. Object arrays (pickles) are refused. */
import { AvocetError } from "../../base/inner.ts";
import { arrayKind, byteLength, type DType, type Shape, sizeOf, Tensor } from "../../tensor/inner.ts";
import { type ArrayRows, rowsOfBytes, rowsOfTensor, swapBytes } from "../array-rows.ts";
import { type ByteSource, bytesSource, checkRange } from "../byte-source.ts";
import { dataLimits } from "../limits.ts";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const limits = {
  /** Header bytes; NumPy writes 118 for plain arrays. */
  header: 1 << 20,
  /** NumPy itself stops at 64. */
  rank: 64,
};

const codes: readonly (readonly [string, DType])[] = [
  ["b1", "bool"],
  ["i1", "int8"],
  ["u1", "uint8"],
  ["i2", "int16"],
  ["u2", "uint16"],
  ["f2", "float16"],
  ["i4", "int32"],
  ["u4", "uint32"],
  ["f4", "float32"],
  ["i8", "int64"],
  ["u8", "uint64"],
  ["f8", "float64"],
  ["c8", "complex64"],
  ["c16", "complex128"],
];

export interface NpyHeader {
  readonly dtype: DType;
  readonly shape: Shape;
  /** The first axis changes fastest. */
  readonly fortran: boolean;
  readonly bigEndian: boolean;
  /** Where the elements begin. */
  readonly offset: number;
}

/** Reads the header. Throws `data/unreadable`, `data/wrong-dtype`. */
export async function readNpyHeader(source: ByteSource): Promise<NpyHeader> {
  const at = source.name;
  const start = await source.read(0, Math.min(12, source.size));
  if (start.length < 10 || magic.some((byte, i) => start[i] !== byte)) {
    throw new AvocetError("data/unreadable", "expected an .npy file (it begins with \\x93NUMPY), got other bytes", {
      at,
    });
  }
  const major = start[6]!;
  if (major < 1 || major > 3) {
    throw new AvocetError("data/unreadable", `expected .npy version 1, 2 or 3, got ${major}`, { at });
  }
  const lengthBytes = major === 1 ? 2 : 4;
  checkRange(at, source.size, 8, lengthBytes);
  let length = 0;
  for (let i = lengthBytes - 1; i >= 0; i--) length = length * 256 + start[8 + i]!;
  if (length > limits.header) {
    throw new AvocetError("data/unreadable", `expected a header of at most ${limits.header} bytes, got ${length}`, {
      at,
    });
  }
  const offset = 8 + lengthBytes + length;
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(await source.read(8 + lengthBytes, length));
  const descr = /['"]descr['"]\s*:\s*['"]([<>=|]?)(\w+)['"]/.exec(text);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text);
  const dims = /['"]shape['"]\s*:\s*\(([\dL,\s]*)\)/.exec(text);
  if (/['"]descr['"]\s*:\s*\[/.test(text)) {
    throw new AvocetError("data/wrong-dtype", "expected a plain element type, got a structured one", { at });
  }
  if (!descr || !order || !dims) {
    throw new AvocetError("data/unreadable", "expected descr, fortran_order and shape in the header", { at });
  }
  const dtype = codes.find(([code]) => code === descr[2])?.[1];
  if (!dtype) {
    throw new AvocetError("data/wrong-dtype", `expected numbers, got NumPy type "${descr[1]}${descr[2]}"`, {
      at,
      hint: descr[2]!.startsWith("O") ? "object arrays are pickles and are never opened; save numbers" : "save numbers",
    });
  }
  const shape = dims[1]!
    .split(",")
    .map((dim) => dim.replace("L", "").trim())
    .filter((dim) => dim !== "")
    .map(Number);
  if (shape.length > limits.rank || !Number.isSafeInteger(sizeOf(shape)) || !shape.every(Number.isSafeInteger)) {
    throw new AvocetError("data/unreadable", `expected a possible shape, got (${dims[1]})`, { at });
  }
  checkRange(at, source.size, offset, byteLength(dtype, sizeOf(shape)));
  return { dtype, shape, fortran: order[1] === "True", bigEndian: descr[1] === ">", offset };
}

/** Opens an .npy file for reading by sample. C order is read by range; Fortran order is held in memory, transposed. */
export async function openNpy(source: ByteSource): Promise<ArrayRows> {
  const header = await readNpyHeader(source);
  if (!header.fortran || header.shape.length < 2) return rowsOfBytes(source, header);
  return rowsOfTensor(await wholeArray(source, header), source.name);
}

/** Reads a whole .npy file. */
export async function readNpy(bytes: Uint8Array | ByteSource, name = "npy"): Promise<Tensor> {
  const source = bytes instanceof Uint8Array ? bytesSource(bytes, name) : bytes;
  return wholeArray(source, await readNpyHeader(source));
}

async function wholeArray(source: ByteSource, header: NpyHeader): Promise<Tensor> {
  const { dtype, shape, fortran, bigEndian, offset } = header;
  const length = byteLength(dtype, sizeOf(shape));
  if (length > dataLimits.wholeArrayBytes) {
    throw new AvocetError(
      "data/unreadable",
      `expected at most ${dataLimits.wholeArrayBytes} bytes to hold at once, got ${length}`,
      {
        at: source.name,
        hint: fortran ? "save it in C order (numpy.ascontiguousarray), which is read by range" : "read it by sample",
      },
    );
  }
  const bytes = (await source.read(offset, length)).slice();
  if (bigEndian) swapBytes(bytes, dtype);
  const stored = Tensor.fromBytes(dtype, shape, bytes);
  return fortran ? toRowMajor(stored) : stored;
}

/** Reorders elements whose first axis changes fastest into C order. */
function toRowMajor(stored: Tensor): Tensor {
  const { dtype, shape } = stored;
  const parts = dtype.startsWith("complex") ? 2 : 1;
  const from = stored.data as Float32Array;
  const to = new (arrayKind(dtype))(from.length) as Float32Array;
  const strides: number[] = [];
  for (let stride = 1, axis = 0; axis < shape.length; axis++) {
    strides.push(stride);
    stride *= shape[axis]!;
  }
  const index = new Array<number>(shape.length).fill(0);
  for (let at = 0, source = 0; at < from.length; at += parts) {
    for (let part = 0; part < parts; part++) to[at + part] = from[source * parts + part]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return Tensor.of(dtype, shape, to);
}

/** An .npy file (version 1.0, C order, little-endian), as NumPy writes it. Throws `tensor/wrong-dtype`. */
export function writeNpy(tensor: Tensor): Uint8Array {
  const code = codes.find(([, dtype]) => dtype === tensor.dtype)?.[0];
  if (!code) throw new AvocetError("tensor/wrong-dtype", `expected a type that NumPy has, got ${tensor.dtype}`);
  const order = byteLength(tensor.dtype, 1) === 1 ? "|" : "<";
  const { shape } = tensor;
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${dims}), }`;
  // NumPy pads the header with spaces and a newline to a multiple of 64 bytes.
  const padded = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`;
  const header = Uint8Array.from([...magic, 1, 0, padded.length & 255, padded.length >> 8]);
  const bytes = new Uint8Array(header.length + padded.length + tensor.byteLength);
  bytes.set(header);
  bytes.set(new TextEncoder().encode(padded), header.length);
  bytes.set(tensor.bytes, header.length + padded.length);
  return bytes;
}
