/** Raw arrays: elements and nothing else, whose type and shape are said next to them; and the IDX files of MNIST. */
import { z } from "zod";
import { AvocetError, ByteReader } from "../../base/inner.ts";
import { inflateUpTo } from "../../base/inner-files.ts";
import { byteLength, type DType, type Shape, sizeOf } from "../../tensor/inner.ts";
import type { RawLayout } from "../array-rows.ts";
import { type ByteSource, bytesSource } from "../byte-source.ts";
import { dataLimits } from "../limits.ts";
import { checkSchema } from "../schema-faults.ts";

/** Element types by the ending of a raw file's name. */
export const rawEndings: Readonly<Record<string, DType>> = {
  u8: "uint8",
  i8: "int8",
  u16: "uint16",
  i16: "int16",
  u32: "uint32",
  i32: "int32",
  u64: "uint64",
  i64: "int64",
  f16: "float16",
  f32: "float32",
  f64: "float64",
};

const dtypeSchema = z.enum([...new Set(Object.values(rawEndings))] as [DType, ...DType[]]);

/** What says how a raw file is read; one length of `shape` may be −1, which the size of the file reports. */
export const rawSchema = z.strictObject({
  file: z.string().min(1).describe("The raw file; relative to the description."),
  dtype: dtypeSchema.optional().describe("Element type; default: by the ending of the file."),
  shape: z.array(z.number().int().min(-1)).min(1).describe("Samples first, for example [-1, 32, 32, 3]."),
  offset: z.number().int().min(0).optional().describe("Bytes before the first element."),
});
export type RawDescription = z.infer<typeof rawSchema>;

/** Checks a description. Throws `data/unreadable`. */
export function parseRaw(json: unknown, at: string): RawDescription {
  const result = checkSchema(rawSchema, json);
  if ("value" in result) return result.value;
  throw new AvocetError("data/unreadable", `expected the description of a raw array:\n${result.faults}`, {
    at,
    hint: 'for example {"file": "x.u8", "dtype": "uint8", "shape": [-1, 32, 32, 3]}',
  });
}

/** The layout of a raw file of `size` bytes. Throws `data/wrong-shape`, `data/wrong-dtype`. */
export function rawLayout(
  description: { readonly dtype?: string | undefined; readonly shape: Shape; readonly offset?: number | undefined },
  size: number,
  name: string,
): RawLayout {
  const { shape, offset = 0 } = description;
  const dtype = dtypeSchema.safeParse(description.dtype ?? endingOf(name)).data;
  if (!dtype) {
    throw new AvocetError(
      "data/wrong-dtype",
      `expected one of ${dtypeSchema.options.join(", ")}, got ${description.dtype ?? "none"}`,
      {
        at: name,
        hint: `say it: "${name}?dtype=float32&shape=-1,…"`,
      },
    );
  }
  const open = shape.indexOf(-1);
  const known = sizeOf(shape.filter((dim) => dim !== -1)) * byteLength(dtype, 1);
  const bytes = size - offset;
  const whole = open < 0 ? bytes === known : known > 0 && bytes % known === 0 && shape.indexOf(-1, open + 1) < 0;
  if (!whole) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected ${dtype}[${shape.join(",")}] (${known} bytes), the file has ${bytes}`,
      {
        at: name,
      },
    );
  }
  return { dtype, shape: shape.map((dim) => (dim === -1 ? bytes / known : dim)), offset };
}

function endingOf(name: string): string | undefined {
  return rawEndings[name.replace(/\.gz$/, "").split(".").at(-1) ?? ""];
}

const idxTypes: Readonly<Record<number, DType>> = {
  8: "uint8",
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64",
};

/** The layout of an IDX file (MNIST), or null for other bytes. */
export async function idxLayout(source: ByteSource): Promise<RawLayout | null> {
  if (source.size < 8) return null;
  const start = await source.read(0, 4);
  const dtype = idxTypes[start[2]!];
  const rank = start[3]!;
  if (start[0] !== 0 || start[1] !== 0 || !dtype || rank < 1 || rank > 8 || source.size < 4 + 4 * rank) return null;
  const reader = new ByteReader(await source.read(4, 4 * rank), source.name);
  const shape = Array.from({ length: rank }, () => {
    const [a, b, c, d] = [reader.u8(), reader.u8(), reader.u8(), reader.u8()];
    return ((a * 256 + b) * 256 + c) * 256 + d;
  });
  const offset = 4 + 4 * rank;
  return offset + sizeOf(shape) * byteLength(dtype, 1) === source.size
    ? { dtype, shape, offset, bigEndian: true }
    : null;
}

/** The contents of a gzip file, held in memory. Throws `data/unreadable`, `data/too-large`. */
export async function gunzipped(source: ByteSource): Promise<ByteSource> {
  const { name: at, size } = source;
  const start = await source.read(0, Math.min(size, 2));
  if (start[0] !== 0x1f || start[1] !== 0x8b || size < 18) {
    throw new AvocetError("data/unreadable", "expected a gzip file, got other bytes", { at });
  }
  const trailer = await source.read(size - 4, 4);
  const claimed = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true);
  if (claimed > size * dataLimits.inflateRatio) {
    throw new AvocetError("data/unreadable", `expected a size that deflate can reach, got a claim of ${claimed}`, {
      at,
    });
  }
  if (claimed > dataLimits.inflatedBytes || size > dataLimits.inflatedBytes) {
    throw new AvocetError(
      "data/too-large",
      `expected at most ${dataLimits.inflatedBytes} inflated bytes, got ${claimed}`,
      {
        at,
        hint: "unpack it: what is not compressed is read by range",
      },
    );
  }
  try {
    const { bytes, more } = inflateUpTo(await source.read(0, size), claimed, "gzip");
    if (more || bytes.length !== claimed)
      throw new Error(`${more ? "more" : bytes.length} bytes instead of ${claimed}`);
    return bytesSource(bytes, at);
  } catch (cause) {
    if (AvocetError.is(cause)) throw cause;
    throw new AvocetError("data/unreadable", `expected a whole gzip file, got ${(cause as Error).message}`, {
      at,
      cause,
    });
  }
}
