/** TensorProto → Tensor: views of the file where possible, loaded when first needed, every length checked. */
import { byteLength, type DType, dtypeOfOnnx, dtypes, Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import { countVarints, dataOfVarints } from "../protobuf/varints.ts";
import type { Payload } from "../protobuf/wire-types.ts";
import type { Reading } from "./context.ts";
import { externalPayload } from "./external.ts";
import { tensorExtras } from "./extras.ts";
import type { TensorProto } from "./schema.ts";

const EXTERNAL = 1;

/** `where` names the tensor for messages. Throws `import/unsupported-type`, `import/malformed`, `import/truncated`. */
export function tensorFromProto(proto: TensorProto, reading: Reading, where: string): Tensor {
  const dtype = dtypeFromProto(proto.dataType ?? 0, reading, where);
  const shape = shapeFromProto(proto, reading, where);
  const { tensor, payload } = contentOf(proto, dtype, shape, reading, where);
  tensorExtras.set(tensor, {
    name: proto.name,
    docString: proto.docString,
    metadata: proto.metadata,
    unknown: proto.unknown,
    payload,
    strings: dtype === "string" ? proto.stringData : undefined,
  });
  return tensor;
}

/** The element type with this number. Throws `import/unsupported-type`. */
export function dtypeFromProto(code: number, reading: Reading, where: string): DType {
  const dtype = dtypeOfOnnx(code);
  if (dtype) return dtype;
  throw reading.error("import/unsupported-type", `expected a known element type, got number ${code}`, where);
}

function shapeFromProto(proto: TensorProto, reading: Reading, where: string): number[] {
  if (proto.dims.length > limits.rank) {
    throw reading.error(
      "import/malformed",
      `expected at most ${limits.rank} dimensions, got ${proto.dims.length}`,
      where,
    );
  }
  let size = 1;
  return proto.dims.map((dim) => {
    size *= Number(dim);
    if (typeof dim === "number" && dim >= 0 && size <= Number.MAX_SAFE_INTEGER) return dim;
    throw reading.error("import/malformed", `expected the shape of a tensor, got [${proto.dims.join(",")}]`, where);
  });
}

type Content = { readonly tensor: Tensor; readonly payload?: Payload };

function contentOf(proto: TensorProto, dtype: DType, shape: number[], reading: Reading, where: string): Content {
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (dtype === "string") {
    if (proto.stringData.length !== count) throw wrongLength(count, proto.stringData.length, "strings", reading, where);
    const decoder = new TextDecoder();
    const texts = proto.stringData;
    return { tensor: Tensor.lazy(dtype, shape, () => texts.map((text) => decoder.decode(text))) };
  }
  const expected = byteLength(dtype, count);
  if (proto.dataLocation === EXTERNAL) {
    const payload = externalPayload(proto, expected, reading, where);
    return { tensor: Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, payload.whole()).data), payload };
  }
  const raw = (proto.rawData as Uint8Array | undefined) ?? littleEndianData(proto, dtype);
  if (raw) {
    if (raw.length !== expected) throw wrongLength(expected, raw.length, "bytes", reading, where);
    // Lazy, so that data which is not aligned in the file is copied only when someone looks at it.
    const tensor = Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, raw).data);
    return { tensor, payload: { length: raw.length, chunks: () => [raw] } };
  }
  const varints = varintData(proto, dtype);
  const { bits, kind } = dtypes[dtype];
  const entries = bits < 8 ? expected : kind === "complex" ? count * 2 : count;
  const found = varints ? countVarints(varints) : 0;
  if (found !== entries) throw wrongLength(entries, found, "elements", reading, where);
  return { tensor: Tensor.lazy(dtype, shape, () => dataOfVarints(dtype, varints ?? new Uint8Array(), entries)) };
}

/** Typed fields whose wire form is raw_data's. */
function littleEndianData(proto: TensorProto, dtype: DType): Uint8Array | undefined {
  if (dtype === "float32" || dtype === "complex64") return proto.floatData;
  if (dtype === "float64" || dtype === "complex128") return proto.doubleData;
  return undefined;
}

function varintData(proto: TensorProto, dtype: DType): Uint8Array | undefined {
  if (dtype === "int64") return proto.int64Data;
  if (dtype === "uint64" || dtype === "uint32") return proto.uint64Data;
  return proto.int32Data;
}

function wrongLength(expected: number, got: number, what: string, reading: Reading, where: string) {
  return reading.error("import/malformed", `expected ${expected} ${what} of data, got ${got}`, where);
}
