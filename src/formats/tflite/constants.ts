/** Constants of a TFLite file: plain ones as terms, quantized ones as DequantizeLinear of the stored integers. */
import { AvocetError } from "../../base/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { byteLength, type DType, dtypes, sizeOf, Tensor, unpackBits } from "../../tensor/inner.ts";
import { type Emitter, nameConstant } from "../channels-last/emitter.ts";
import { type Order, sourceOrder, type Term } from "../channels-last/term.ts";
import { limits } from "../limits.ts";
import type { Quantized, TfliteTensor } from "./schema.ts";

export class Constants {
  readonly #file: string;
  readonly #tensors = new Map<TfliteTensor, Tensor>();
  readonly #dequantized = new WeakMap<Emitter, Map<TfliteTensor, Map<string, Value>>>();

  constructor(file: string) {
    this.#file = file;
  }

  /** Whether a tensor is stored as integers that stand for floats. */
  isQuantized(tensor: TfliteTensor): boolean {
    return tensor.bytes !== undefined && tensor.quantized !== undefined;
  }

  /** A constant as a term: the floats that it stands for. */
  term(e: Emitter, tensor: TfliteTensor): Term {
    const { quantized } = tensor;
    if (!quantized) return e.constant(this.#stored(tensor));
    if (tensor.dtype === "int64") return e.constant(this.#floats(tensor, quantized));
    const order = sourceOrder(tensor.shape.length);
    return e.term(this.dequantized(e, tensor, order), "float32", tensor.shape, order);
  }

  /** The floats that a quantized constant stands for, computed from its integers with the axes in this order. */
  dequantized(e: Emitter, tensor: TfliteTensor, order: Order): Value {
    const all = this.#dequantized.get(e) ?? new Map<TfliteTensor, Map<string, Value>>();
    this.#dequantized.set(e, all);
    const forms = all.get(tensor) ?? new Map<string, Value>();
    all.set(tensor, forms);
    const known = forms.get(order.join());
    if (known) return known;
    const { quantized } = tensor;
    if (!quantized) throw new Error("internal: the constant is not quantized");
    const stored = this.#stored(tensor);
    const integers = e.value(e.constant(stored), order);
    const perAxis = quantized.scales.length > 1;
    const lengths = perAxis ? undefined : [];
    const { scales, zeroPoints, axis } = quantized;
    const scale = e.value(e.numbers(scales, "float32", lengths));
    // int32 is the type of biases, whose zero point is always zero and which ONNX writes without one.
    const zero = stored.dtype === "int32" ? [] : [e.value(e.numbers(zeroPoints, stored.dtype, lengths))];
    if (stored.dtype === "int32" && zeroPoints.some((point) => point !== 0)) {
      throw e.broken(`expected zero points of 0 for the int32 tensor ${tensor.name}`);
    }
    const attributes = perAxis ? { axis: order.indexOf(axis) } : {};
    const node = e.named(nameOf(tensor), () => e.node("DequantizeLinear", [integers, scale, ...zero], attributes));
    forms.set(order.join(), node.output);
    return node.output;
  }

  /** Quantizes a float and dequantizes it again, as what follows in the file sees it. */
  roundTrip(e: Emitter, term: Term, tensor: TfliteTensor): Term {
    const { quantized, dtype } = tensor;
    if (!quantized || !dtype) return term;
    if (quantized.scales.length > 1) throw e.fail(`expected one scale for the activation ${tensor.name}, got several`);
    if (!(dtype in grids)) throw e.fail(`expected an activation of int8, uint8 or int16, got ${dtype}`);
    if (!(quantized.scales[0]! > 0)) throw e.broken(`expected a positive scale of ${tensor.name}`);
    const scale = e.value(e.numbers(quantized.scales[0]!, "float32"));
    const zero = e.value(e.numbers(quantized.zeroPoints[0]!, dtype));
    const integers = e.node("QuantizeLinear", [e.value(term, term.order), scale, zero]).output;
    const value = e.node("DequantizeLinear", [integers, scale, zero]).output;
    return e.term(value, "float32", term.shape, term.order);
  }

  /** Biases next to 16-bit activations are int64, which DequantizeLinear does not take. */
  #floats(tensor: TfliteTensor, { scales, axis }: Quantized): Tensor {
    const stored = this.#stored(tensor);
    const inner = sizeOf(tensor.shape.slice(axis + 1));
    return Tensor.lazy("float32", stored.shape, () => {
      const numbers = stored.numbers();
      return Float32Array.from(numbers, (value, i) => value * scales[Math.floor(i / inner) % scales.length]!);
    });
  }

  #stored(tensor: TfliteTensor): Tensor {
    const known = this.#tensors.get(tensor);
    if (known) return known;
    const made = nameConstant(this.#read(tensor), nameOf(tensor));
    this.#tensors.set(tensor, made);
    return made;
  }

  #read({ name, dtype, type, shape, bytes, sparse }: TfliteTensor): Tensor {
    const at = `${this.#file}: ${name}`;
    if (!bytes) throw new Error("internal: the tensor is no constant");
    if (sparse) throw new AvocetError("import/unsupported-type", "expected a dense constant, got a sparse one", { at });
    if (!dtype || dtype === "string" || dtypes[dtype].kind === "complex") {
      throw new AvocetError(
        "import/unsupported-type",
        `expected a constant of numbers, got element type ${dtype ?? type}`,
        { at },
      );
    }
    const size = sizeOf(shape);
    if (
      shape.some((length) => length < 0) ||
      byteLength(dtype, size) !== bytes.length ||
      bytes.length > limits.tensorBytes
    ) {
      throw new AvocetError(
        "import/malformed",
        `expected the bytes of ${dtype}[${shape.join(",")}], got ${bytes.length}`,
        { at },
      );
    }
    const { bits, kind } = dtypes[dtype];
    if (bits >= 8) return Tensor.fromBytes(dtype, shape, bytes);
    // Moving axes is a matter of whole bytes, and kernels read 8 bits faster than 4: the numbers are the same.
    const wide: DType = kind === "int" ? "int8" : "uint8";
    const unpack = () => unpackBits(bytes, bits as 2 | 4, kind === "int", size);
    return Tensor.lazy(wide, shape, () => (wide === "int8" ? unpack() : new Uint8Array(unpack().buffer)));
  }
}

const grids = { int8: 0, uint8: 0, int16: 0, uint16: 0 };

/** What a tensor is called in the model: fused operators have all their names, of which the first one is enough. */
export const nameOf = (tensor: TfliteTensor): string => tensor.name.split(";")[0]!;
