/** Tensors as PyTorch stores them: views of a storage with an offset and strides. */
import { AvocetError } from "../../base/inner.ts";
import { byteLength, type DType, sizeOf, Tensor } from "../../tensor/inner.ts";
import { type ByteSource, plainBytes } from "../byte-source.ts";
import { limits } from "../limits.ts";

export interface View {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements, like the offset. */
  readonly strides: readonly number[];
  readonly offset: number;
}

/** The tensor, read when it is first looked at. Throws `import/malformed` for a view that leads out of its storage. */
export function stridedTensor(storage: ByteSource, { dtype, shape, strides, offset }: View, at: string): Tensor {
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at });
  const size = sizeOf(shape);
  const element = byteLength(dtype, 1);
  if (strides.length !== shape.length) throw broken(`expected ${shape.length} strides, got ${strides.length}`);
  if (![...shape, ...strides, offset].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw broken("expected lengths, strides and an offset that are whole numbers");
  }
  if (size * element > limits.tensorBytes) {
    throw new AvocetError("import/too-large", `expected a tensor of at most ${limits.tensorBytes} bytes`, { at });
  }
  const last = size === 0 ? 0 : offset + 1 + shape.reduce((sum, length, i) => sum + (length - 1) * strides[i]!, 0);
  if (last * element > storage.size) {
    throw broken(`expected ${last} elements in the storage, it has ${Math.floor(storage.size / element)}`);
  }
  if (size === 0 || isContiguous(shape, strides)) {
    const bytes = () => plainBytes(storage.read(offset * element, size * element));
    return Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, bytes()).data);
  }
  // What repeats elements (a stride of 0) is larger than its storage; a model of such tensors would be, too.
  if (size * element > storage.size * 64 + 2 ** 20) throw broken("expected a view that repeats its storage less often");
  return Tensor.lazy(dtype, shape, () => {
    const bytes = new Uint8Array(size * element);
    const seen = storage.read(offset * element, (last - offset) * element);
    const index = shape.map(() => 0);
    for (let i = 0, from = 0; i < size; i++) {
      bytes.set(seen.subarray(from * element, (from + 1) * element), i * element);
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += strides[axis]!;
        if (++index[axis]! < shape[axis]!) break;
        from -= strides[axis]! * shape[axis]!;
        index[axis] = 0;
      }
    }
    return Tensor.fromBytes(dtype, shape, bytes).data;
  });
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}
