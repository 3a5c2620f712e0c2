/** The recorded Keras models of the tests of src/formats/keras (tools/keras_goldens.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type DType, Tensor } from "../src/tensor/inner.ts";

interface Recorded {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly at: readonly [number, number];
}

export interface KerasCase {
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

const all = new Uint8Array(
  gunzipSync(readFileSync(join(import.meta.dirname, "../src/formats/keras/golden/layers.bin.gz"))),
);
const headLength = new DataView(all.buffer, all.byteOffset).getUint32(0, true);
const head = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + headLength))) as readonly {
  readonly name: string;
  readonly form: string;
  readonly file: readonly [number, number];
  readonly inputs: readonly Recorded[];
  readonly outputs: readonly Recorded[];
}[];

const bytesAt = ([offset, length]: readonly [number, number]) =>
  all.slice(4 + headLength + offset, 4 + headLength + offset + length);
const tensorOf = ({ dtype, shape, at }: Recorded) => Tensor.fromBytes(dtype, shape, bytesAt(at));

export const kerasCases: readonly KerasCase[] = head.map(({ name, form, file, inputs, outputs }) => ({
  name,
  file: `m.${form.split(".")[1]}`,
  bytes: bytesAt(file),
  inputs: inputs.map(tensorOf),
  outputs: outputs.map(tensorOf),
}));
