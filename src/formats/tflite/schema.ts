/** What a TFLite file holds, by the field numbers of its schema (version 3), before any operator is understood. */
import { AvocetError } from "../../base/inner.ts";
import type { DType } from "../../tensor/inner.ts";
import { type FlatTable, rootTable } from "../flatbuffers/cursor.ts";
import { limits } from "../limits.ts";
import { builtinNames } from "./builtin-names.ts";

export interface TfliteTensor {
  readonly name: string;
  readonly dtype: DType | undefined;
  /** The number of the element type in the file, for messages. */
  readonly type: number;
  /** −1: not known until the model runs. */
  readonly shape: readonly number[];
  /** A constant's bytes, or undefined. */
  readonly bytes: Uint8Array | undefined;
  /** Scales and zero points: one, or one for each index along `axis`. */
  readonly quantized: Quantized | undefined;
  /** Keeps its value from one run to the next. */
  readonly variable: boolean;
  readonly sparse: boolean;
}

export interface Quantized {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

export interface TfliteOperator {
  /** CONV_2D; for custom operators CUSTOM and its name. */
  readonly op: string;
  /** Indices of tensors; −1 for an absent one. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: FlatTable | undefined;
}

export interface TfliteGraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly TfliteOperator[];
}

export interface TfliteModel {
  readonly graphs: readonly TfliteGraph[];
  readonly description: string | undefined;
  readonly version: number;
}

/** Element types by number; those without a counterpart are undefined. */
const types: readonly (DType | undefined)[] = [
  "float32",
  "float16",
  "int32",
  "uint8",
  "int64",
  "string",
  "bool",
  "int16",
  "complex64",
  "int8",
  "float64",
  "complex128",
  "uint64",
  undefined,
  undefined,
  "uint32",
  "uint16",
  "int4",
  "bfloat16",
  "int2",
  "uint4",
];

export const dtypeOfTflite = (type: number): DType | undefined => types[type];

/** Reads all tables. Throws `import/truncated`, `import/malformed`, `import/too-large`. */
export function readSchema(file: Uint8Array, name: string): TfliteModel {
  const root = rootTable(file, name);
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: name });
  const version = root.u32(0);
  if (version !== 3) throw broken(`expected version 3 of the TFLite schema, got ${version}`);
  const operators = root.tables(1).map((code) => {
    // Files before schema 3a have the number in a byte; newer ones in both fields, the larger one counts.
    const number = Math.max(code.i8(0), code.i32(3));
    const builtin = builtinNames[number] ?? `operator ${number}`;
    return builtin === "CUSTOM" ? `CUSTOM ${code.text(1) ?? ""}` : builtin;
  });
  const buffers = root.tables(4).map((buffer) => {
    // Files above 2 GB have the data behind the tables; offsets 0 and 1 stand for none.
    const [offset, size] = [buffer.u64(1), buffer.u64(2)];
    if (offset <= 1) return buffer.bytes(0);
    if (offset + size <= file.length) return file.subarray(offset, offset + size);
    throw broken(`expected a buffer of ${size} bytes at offset ${offset}, the file has ${file.length}`);
  });
  let parts = 0;
  const graphs = root.tables(2).map((graph): TfliteGraph => {
    const tensors = graph.tables(0).map((tensor) => tensorOf(tensor, buffers, broken));
    const indices = (list: readonly number[] | undefined, what: string): readonly number[] => {
      const wrong = list?.find((index) => index < -1 || index >= tensors.length);
      if (wrong !== undefined) throw broken(`expected ${what} among ${tensors.length} tensors, got ${wrong}`);
      return list ?? [];
    };
    return {
      name: graph.text(4) ?? "",
      tensors,
      inputs: indices(graph.i32s(1), "an input"),
      outputs: indices(graph.i32s(2), "an output"),
      operators: graph.tables(3).map((operator) => {
        const op = operators[operator.u32(0)];
        if (op === undefined) throw broken(`expected one of ${operators.length} operators, got ${operator.u32(0)}`);
        const inputs = indices(operator.i32s(1), `an input of ${op}`);
        const outputs = indices(operator.i32s(2), `an output of ${op}`);
        parts += 1 + inputs.length + outputs.length;
        if (parts > limits.graphParts)
          throw broken(`expected at most ${limits.graphParts} operators, inputs and outputs`);
        return { op, inputs, outputs, options: operator.table(4) };
      }),
    };
  });
  if (graphs.length === 0) throw broken("expected a graph, got none");
  return { graphs, description: root.text(3), version };
}

function tensorOf(
  tensor: FlatTable,
  buffers: readonly (Uint8Array | undefined)[],
  broken: (problem: string) => AvocetError,
): TfliteTensor {
  const name = tensor.text(3) ?? "";
  const stored = tensor.i32s(0) ?? [];
  const signature = tensor.i32s(7) ?? [];
  const shape = signature.length === stored.length ? signature : stored;
  if (shape.length > limits.rank)
    throw broken(`expected at most ${limits.rank} dimensions of ${name}, got ${shape.length}`);
  if (shape.some((length) => length < -1)) throw broken(`expected lengths of ${name}, got [${shape.join(",")}]`);
  const buffer = tensor.u32(2);
  if (buffer >= Math.max(buffers.length, 1))
    throw broken(`expected one of ${buffers.length} buffers for ${name}, got ${buffer}`);
  const bytes = buffers[buffer];
  const type = tensor.i8(1);
  return {
    name,
    dtype: dtypeOfTflite(type),
    type,
    shape,
    // Buffer 0 is empty by convention and stands for "computed"; so does any empty one, unless the tensor has no elements.
    bytes: bytes && (bytes.length > 0 || (buffer > 0 && shape.includes(0))) ? bytes : undefined,
    quantized: quantizedOf(tensor.table(4), shape, name, broken),
    variable: tensor.u8(5) !== 0,
    sparse: tensor.table(6) !== undefined,
  };
}

function quantizedOf(
  table: FlatTable | undefined,
  shape: readonly number[],
  name: string,
  broken: (problem: string) => AvocetError,
): Quantized | undefined {
  const scales = table?.f32s(2) ?? [];
  if (!table || scales.length === 0) return undefined;
  const zeroPoints = table.i64s(3) ?? [];
  const axis = table.i32(6);
  const fits = scales.length === 1 || shape[axis] === scales.length;
  const whole = zeroPoints.length === 0 || zeroPoints.length === 1 || zeroPoints.length === scales.length;
  if (fits && whole && scales.every((scale) => Number.isFinite(scale) && scale >= 0)) {
    return { scales, zeroPoints: scales.map((_, i) => zeroPoints[i] ?? zeroPoints[0] ?? 0), axis };
  }
  throw broken(
    `expected scales of ${name}, finite and one for each index of an axis, got ${scales.length} along ${axis}`,
  );
}
