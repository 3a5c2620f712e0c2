/** The weights of TensorFlow.js models: files that are read as if they were one, and what was stored in fewer bits. */
import { AvocetError } from "../../base/inner.ts";
import { byteLength, type DType, fromFloat16Bits, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { ByteSource } from "../byte-source.ts";
import { limits } from "../limits.ts";
import type { ExternalData } from "../onnx/context.ts";

/** How a weight is stored when not as it is: half floats, or whole numbers q that stand for q · scale + min. */
interface Quantization {
  readonly dtype: "float16" | "uint8" | "uint16";
  readonly scale: number;
  readonly min: number;
}

const stored: readonly string[] = ["float32", "int32", "bool", "uint8", "float16", "string", "complex64"];

/**
 * The weights of a manifest (`weightsManifest` of model.json) by name, in order; data is read when it is looked at. `external` finds the
 * files. Throws `import/malformed`, `import/not-found`, `import/truncated`, `import/unsupported-type`.
 */
export function tfjsWeights(manifest: unknown, external: ExternalData | undefined, file: string): Map<string, Tensor> {
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: `${file}: weightsManifest` });
  if (!Array.isArray(manifest)) throw broken("expected a list of groups of weights");
  const found = new Map<string, Tensor>();
  for (const group of manifest as readonly Readonly<Record<string, unknown>>[]) {
    const { paths, weights } = group ?? {};
    if (!Array.isArray(paths) || !Array.isArray(weights) || !paths.every((path) => typeof path === "string")) {
      throw broken("expected paths and weights in each group");
    }
    if (weights.length > 0 && !external) {
      throw new AvocetError(
        "import/not-found",
        `expected the weights ${JSON.stringify(paths[0])}, got the model's text alone`,
        {
          at: file,
          hint: "read the model with its folder, or pass its files",
        },
      );
    }
    const data = joined(
      paths.map((path) => external!(path as string)),
      file,
    );
    let offset = 0;
    for (const one of weights) offset += add(one as Readonly<Record<string, unknown>>, offset);

    function add(spec: Readonly<Record<string, unknown>>, at: number): number {
      const { name, shape, dtype } = spec ?? {};
      const isShape =
        Array.isArray(shape) && shape.length <= limits.rank && shape.every((v) => Number.isSafeInteger(v) && v >= 0);
      if (typeof name !== "string" || typeof dtype !== "string" || !isShape || found.has(name)) {
        throw broken(
          `expected a weight with its own name, a shape and an element type, got ${JSON.stringify(spec).slice(0, 200)}`,
        );
      }
      const where = `${file}: ${name}`;
      if (!stored.includes(dtype) || dtype === "string" || dtype === "complex64") {
        throw new AvocetError("import/unsupported-type", `expected a weight of numbers, got ${dtype}`, { at: where });
      }
      const packed = quantizationOf(spec.quantization, broken);
      const kept = (packed?.dtype ?? dtype) as DType;
      const count = sizeOf(shape as number[]);
      const bytes = byteLength(kept, count);
      if (!(bytes <= limits.tensorBytes) || at + bytes > data.size) {
        throw new AvocetError(
          "import/truncated",
          `expected ${bytes} bytes at offset ${at} of the weights, they have ${data.size}`,
          {
            at: where,
            hint: "the weights are damaged or were not copied completely",
          },
        );
      }
      const read = () => Tensor.fromBytes(kept, [count], data.read(at, bytes)).data;
      const target = dtype as DType;
      found.set(
        name,
        Tensor.lazy(target, shape as number[], packed ? () => unpacked(read() as Uint8Array, packed, target) : read),
      );
      return bytes;
    }
  }
  return found;
}

function quantizationOf(spec: unknown, broken: (problem: string) => AvocetError): Quantization | undefined {
  if (spec === undefined || spec === null) return undefined;
  const { dtype, scale = 1, min = 0 } = spec as Readonly<Record<string, unknown>>;
  const isKnown = dtype === "float16" || dtype === "uint8" || dtype === "uint16";
  if (!isKnown || typeof scale !== "number" || typeof min !== "number")
    throw broken(`expected how a weight is quantized, got ${JSON.stringify(spec).slice(0, 200)}`);
  return { dtype, scale, min };
}

/** What TensorFlow.js computes with: products in double precision, stored in the weight's own type. */
function unpacked(data: Uint8Array, { dtype, scale, min }: Quantization, target: DType): Float32Array | Int32Array {
  if (dtype === "float16") return Float32Array.from(data, fromFloat16Bits);
  if (target === "int32") return Int32Array.from(data, (q) => Math.round(q * scale + min));
  return Float32Array.from(data, (q) => q * scale + min);
}

/** Several files as one. */
function joined(sources: readonly ByteSource[], name: string): ByteSource {
  if (sources.length === 1) return sources[0]!;
  return {
    name,
    size: sources.reduce((sum, source) => sum + source.size, 0),
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let start = 0;
      for (const source of sources) {
        const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + source.size)];
        if (from < to) bytes.set(source.read(from - start, to - from), from - offset);
        start += source.size;
      }
      return bytes;
    },
  };
}
