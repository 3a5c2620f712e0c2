/** Input patches of a linear layer: for an output position, the inputs that it sees, in the order of the weight's columns. */

import { AvocetError, type Random } from "../../base/inner.ts";
import { isRecurrent, type MatrixLayer } from "../../facts/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";

/** Where the patches of one input shape lie. */
export interface PatchGeometry {
  /** Output positions of one sample. */
  readonly positions: number;
  /** Samples in the tensor. */
  readonly samples: number;
  /** Copies the patch at a position of a sample into `into` at `at`: group g at `at + g · stride`, columns long. */
  copy(data: Float32Array, sample: number, position: number, into: Float32Array, at: number, stride: number): void;
}

/** The geometry of a layer's input of this shape. Throws `pass/unsupported` for shapes that the operator does not take. */
export function patchGeometry(layer: MatrixLayer, shape: readonly number[]): PatchGeometry {
  if (isRecurrent(layer.node)) return stepGeometry(layer, shape);
  return layer.node.op === "Gemm" || layer.node.op === "MatMul"
    ? rowGeometry(layer, shape)
    : kernelGeometry(layer, shape);
}

/** Of what a recurrent operator reads [T, N, K], or of its states [T, directions, N, K], every step of every sample. */
function stepGeometry({ matrix: { columns, groups }, node }: MatrixLayer, shape: readonly number[]): PatchGeometry {
  const [steps = 0, samples = 0] = [shape[0], shape.at(-2)];
  if (shape.at(-1) !== columns || sizeOf(shape) !== steps * groups * samples * columns) {
    throw new AvocetError("pass/unsupported", `expected rows of ${columns} numbers, got [${shape.join(",")}]`, {
      at: `${node}`,
    });
  }
  return {
    positions: steps,
    samples,
    copy(data, sample, step, into, at, stride) {
      for (let group = 0; group < groups; group++) {
        const start = ((step * groups + group) * samples + sample) * columns;
        into.set(data.subarray(start, start + columns), at + group * stride);
      }
    },
  };
}

/** Every row of [..., K] is a patch. */
function rowGeometry({ matrix: { columns }, node }: MatrixLayer, shape: readonly number[]): PatchGeometry {
  if (shape.at(-1) !== columns) {
    throw new AvocetError("pass/unsupported", `expected rows of ${columns} numbers, got [${shape.join(",")}]`, {
      at: `${node}`,
    });
  }
  const samples = shape.length === 1 ? 1 : shape[0]!;
  const positions = sizeOf(shape) / columns / samples;
  return {
    positions,
    samples,
    copy(data, sample, position, into, at) {
      const start = (sample * positions + position) * columns;
      into.set(data.subarray(start, start + columns), at);
    },
  };
}

/** Patches of a convolution; positions of the padding read zero. */
function kernelGeometry(layer: MatrixLayer, shape: readonly number[]): PatchGeometry {
  const {
    node,
    axes: { groups },
  } = layer;
  const [samples = 0, channels = 0, ...input] = shape;
  const kernel = layer.weight.tensor.shape.slice(2);
  const window = windowOf(node.op === "ConvTranspose", input, kernel, layer);
  const perGroup = channels / groups;
  const kernelSize = sizeOf(kernel);
  const inputSize = sizeOf(input);
  const places = new Int32Array(kernelSize);
  return {
    positions: sizeOf(window.output),
    samples,
    copy(data, sample, position, into, at, stride) {
      window.locate(position, places);
      for (let c = 0; c < channels; c++) {
        const group = Math.floor(c / perGroup);
        const from = (sample * channels + c) * inputSize;
        const to = at + group * stride + (c - group * perGroup) * kernelSize;
        for (let k = 0; k < kernelSize; k++) into[to + k] = places[k]! < 0 ? 0 : data[from + places[k]!]!;
      }
    },
  };
}

interface Window {
  readonly output: readonly number[];
  /** For an output position: the place in the input that each kernel position reads, −1 for none. */
  locate(position: number, places: Int32Array): void;
}

function windowOf(
  transposed: boolean,
  input: readonly number[],
  kernel: readonly number[],
  { node }: MatrixLayer,
): Window {
  const rank = kernel.length;
  const strides = node.ints("strides", new Array<number>(rank).fill(1));
  const dilations = node.ints("dilations", new Array<number>(rank).fill(1));
  const reach = kernel.map((k, d) => (k - 1) * dilations[d]! + 1);
  const extra = node.ints("output_padding", new Array<number>(rank).fill(0));
  const { begin, output } = padding();
  const steps = kernel.map((_, d) => sizeOf(kernel.slice(d + 1)));
  const outputSteps = output.map((_, d) => sizeOf(output.slice(d + 1)));
  return {
    output,
    locate(position, places) {
      for (let k = 0; k < places.length; k++) {
        let place = 0;
        for (let d = 0; d < rank && place >= 0; d++) {
          const o = Math.floor(position / outputSteps[d]!) % output[d]!;
          const step = (Math.floor(k / steps[d]!) % kernel[d]!) * dilations[d]!;
          let at = transposed ? o + begin[d]! - step : o * strides[d]! - begin[d]! + step;
          if (transposed) at = at % strides[d]! === 0 ? at / strides[d]! : -1;
          place = at < 0 || at >= input[d]! ? -1 : place * input[d]! + at;
        }
        places[k] = place;
      }
    },
  };

  function padding(): { begin: number[]; output: number[] } {
    const pads = node.ints("pads", new Array<number>(2 * rank).fill(0));
    const auto = node.string("auto_pad", "NOTSET");
    const asked = node.ints("output_shape");
    const begin: number[] = [];
    const output: number[] = [];
    for (let d = 0; d < rank; d++) {
      const [size, stride, span] = [input[d]!, strides[d]!, reach[d]!];
      if (transposed) {
        const full = (size - 1) * stride + span + extra[d]!;
        const same = auto.startsWith("SAME");
        const wanted = asked?.at(d - rank) ?? (same ? size * stride : undefined);
        // A kernel that reaches less far than the stride leaves nothing to cut off.
        const total = Math.max(0, full - (wanted ?? full));
        const [half, rest] = [Math.floor(total / 2), Math.ceil(total / 2)];
        const given = auto === "VALID" ? [0, 0] : [pads[d]!, pads[rank + d]!];
        const [low, high] = wanted === undefined ? given : auto === "SAME_UPPER" ? [half, rest] : [rest, half];
        begin.push(low!);
        output.push(asked?.at(d - rank) ?? full - low! - high!);
      } else if (auto.startsWith("SAME")) {
        const length = Math.ceil(size / stride);
        const total = Math.max(0, (length - 1) * stride + span - size);
        begin.push(auto === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2));
        output.push(length);
      } else {
        const [low, high] = auto === "VALID" ? [0, 0] : [pads[d]!, pads[rank + d]!];
        begin.push(low);
        output.push(Math.floor((size + low + high - span) / stride) + 1);
      }
    }
    return { begin, output };
  }
}

/** Patches of a layer's input in both branches, [groups, capacity, columns] each, of which `rows` are filled. */
export class PatchRows {
  readonly groups: number;
  readonly columns: number;
  readonly capacity: number;
  readonly float: Float32Array;
  readonly quantized: Float32Array;
  rows = 0;

  /** The two buffers hold groups · capacity · columns numbers at least. */
  constructor(layer: MatrixLayer, capacity: number, buffers: readonly [Float32Array, Float32Array]) {
    this.groups = layer.matrix.groups;
    this.columns = layer.matrix.columns;
    this.capacity = capacity;
    [this.float, this.quantized] = buffers;
  }

  /** The filled rows of one branch, [groups, rows, columns]: a view where all are filled or there is one group. */
  tensor(of: Float32Array): Tensor {
    const { groups, rows, columns, capacity } = this;
    const shape = [groups, rows, columns];
    if (groups === 1 || rows === capacity) return Tensor.float32(shape, of.subarray(0, groups * rows * columns));
    const packed = new Float32Array(groups * rows * columns);
    for (let g = 0; g < groups; g++) {
      const start = g * capacity * columns;
      packed.set(of.subarray(start, start + rows * columns), g * rows * columns);
    }
    return Tensor.float32(shape, packed);
  }
}

/**
 * Appends patches of two tensors of one shape (a layer's input in both branches) at the same randomly chosen positions:
 * `perSample` of every sample, all of them in order when there are no more. Yields whenever the buffer is full; the caller
 * empties it (`rows = 0`).
 */
export function* samplePatches(
  layer: MatrixLayer,
  { float, quantized }: { readonly float: Tensor; readonly quantized: Tensor },
  perSample: number,
  random: Random,
  into: PatchRows,
): Iterable<PatchRows> {
  const geometry = patchGeometry(layer, quantized.shape);
  const count = Math.min(perSample, geometry.positions);
  const stride = into.capacity * into.columns;
  const [x, y] = [float.floats(), quantized.floats()];
  for (let sample = 0; sample < geometry.samples; sample++) {
    for (let i = 0; i < count; i++) {
      if (into.rows === into.capacity) yield into;
      const position = count === geometry.positions ? i : random.integer(geometry.positions);
      const at = into.rows++ * into.columns;
      geometry.copy(x, sample, position, into.float, at, stride);
      geometry.copy(y, sample, position, into.quantized, at, stride);
    }
  }
}
