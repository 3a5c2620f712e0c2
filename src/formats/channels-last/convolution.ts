/** Convolutions: plain, grouped, depthwise and transposed, with the weights moved into ONNX's order. */
import type { Dim, Value } from "../../ir/inner.ts";
import type { Emitter } from "./emitter.ts";
import { dynamicPad, withoutPad } from "./pad.ts";
import { lengthsOf, type Order, type Term } from "./term.ts";
import {
  channelAxis,
  complete,
  expectWindow,
  padded,
  spatialAxes,
  type Window,
  windowLengths,
  windowOrder,
} from "./windows.ts";

export type ConvolutionWindow = Omit<Window, "kernel">;

/** The filter with its axes in this order and, afterwards, this shape. */
function arranged(e: Emitter, filter: Term, order: Order, shape: readonly number[]): Value {
  if (filter.constant) return e.initializer({ tensor: filter.constant, shape }, order);
  const moved = e.value(filter, order);
  return shape.length === order.length && shape.every((length, i) => length === filter.shape[order[i]!])
    ? moved
    : e.node("Reshape", [moved, e.ints(shape)]).output;
}

/** The lengths of a filter, which have to be known, though the numbers in it need not be. */
function filterShape(e: Emitter, filter: Term, rank: number): readonly number[] {
  const shape = lengthsOf(filter.shape);
  if (shape?.length === rank && shape.every((length) => length > 0)) return shape;
  throw e.broken(`expected a filter of rank ${rank} with known lengths, got [${filter.shape.join(",")}]`);
}

/**
 * A convolution with filter [k…, in / groups, out]; the groups follow from the channels. `bias` is [out]. Paddings of zeros that the
 * source does before become the convolution's own.
 */
export function convolution(e: Emitter, x: Term, filter: Term, window: ConvolutionWindow, bias?: Term): Term {
  const rank = x.shape.length;
  const shape = filterShape(e, filter, rank);
  const [perGroup, out] = [shape[rank - 2]!, shape[rank - 1]!];
  const order = [rank - 1, rank - 2, ...Array.from({ length: rank - 2 }, (_, i) => i)];
  const weight = () =>
    arranged(
      e,
      filter,
      order,
      order.map((axis) => shape[axis]!),
    );
  return filtered(e, x, { ...window, kernel: shape.slice(0, -2) }, { weight, perGroup, out }, bias);
}

/** A depthwise convolution with filter [k…, in, multiplier]; output channels are in · multiplier, those of one input together. */
export function depthwiseConvolution(e: Emitter, x: Term, filter: Term, window: ConvolutionWindow, bias?: Term): Term {
  const rank = x.shape.length;
  const shape = filterShape(e, filter, rank);
  const out = shape[rank - 2]! * shape[rank - 1]!;
  const kernel = shape.slice(0, -2);
  const order = [rank - 2, rank - 1, ...kernel.map((_, i) => i)];
  const weight = () => arranged(e, filter, order, [out, 1, ...kernel]);
  return filtered(e, x, { ...window, kernel }, { weight, perGroup: 1, out, channels: shape[rank - 2]! }, bias);
}

interface Filters {
  readonly weight: () => Value;
  readonly perGroup: number;
  readonly out: number;
  /** Input channels, where the filter knows them. */
  readonly channels?: number;
}

function filtered(e: Emitter, source: Term, asked: Window, filters: Filters, bias: Term | undefined): Term {
  const { x, window } = withoutPad(source, asked);
  expectWindow(e, x, window);
  const rank = x.shape.length;
  const { kernel, strides, dilations } = complete(window);
  const spatial = spatialAxes(rank, window.channels);
  const axis = channelAxis(rank, window.channels);
  const channels = x.shape[axis];
  const inputs = typeof channels === "number" ? channels : filters.channels;
  if (inputs === undefined)
    throw e.fail("expected a known number of channels", "export the model with the channels of its inputs");
  const group = inputs / filters.perGroup;
  if (!Number.isSafeInteger(group) || filters.out % group !== 0 || (filters.channels ?? inputs) !== inputs) {
    throw e.broken(
      `expected filters for ${inputs} channels, got ${filters.out} over ${filters.channels ?? filters.perGroup}`,
    );
  }
  const lengths = spatial.map((at) => x.shape[at]!);
  const { attributes, dynamic } = padded(window, lengths);
  const order = windowOrder(rank, window.channels);
  const value = dynamic ? dynamicPad(e, x, order, window) : e.value(x, order);
  const node = e.node("Conv", [value, filters.weight(), ...(bias ? [e.value(bias)] : [])], {
    kernel_shape: [...kernel],
    ...(strides.some((v) => v !== 1) ? { strides: [...strides] } : {}),
    ...(dilations.some((v) => v !== 1) ? { dilations: [...dilations] } : {}),
    ...(group === 1 ? {} : { group }),
    ...attributes,
  });
  return e.term(node.output, x.dtype, resized(x, spatial, windowLengths(e, window, lengths), axis, filters.out), order);
}

/** The shape with other lengths on the spatial axes and other channels. */
function resized(x: Term, spatial: readonly number[], lengths: readonly Dim[], axis: number, channels: number): Dim[] {
  return x.shape.map((dim, at) =>
    at === axis ? channels : spatial.includes(at) ? lengths[spatial.indexOf(at)]! : dim,
  );
}

/**
 * The gradient of a convolution by its input, which networks use to enlarge: filter [k…, out, in], as the convolution from `out` to
 * `in` channels would have it. `sizes` are the result's spatial lengths; without them they are what Keras makes:
 * n · stride for SAME, n · stride + max(k − stride, 0) for VALID.
 */
export function transposedConvolution(
  e: Emitter,
  x: Term,
  filter: Term,
  window: ConvolutionWindow,
  sizes?: readonly (number | null)[],
  bias?: Term,
): Term {
  const rank = x.shape.length;
  const shape = filterShape(e, filter, rank);
  const kernel = shape.slice(0, -2);
  expectWindow(e, x, { ...window, kernel });
  const { strides, dilations } = complete({ ...window, kernel });
  const spatial = spatialAxes(rank, window.channels);
  const made = kernel.map((length, i) => {
    const [stride, size, wanted] = [strides[i]!, (length - 1) * dilations[i]! + 1, sizes?.[i] ?? null];
    const source = x.shape[spatial[i]!]!;
    const explicit = typeof window.padding === "string" ? undefined : window.padding[i]!;
    // How many elements more than (n − 1) · stride there are: the same for every n where n is not known.
    const grown = typeof source === "number" && wanted !== null ? wanted - (source - 1) * stride : undefined;
    if (grown === undefined && wanted !== null && sizes)
      throw e.fail("expected a known length for a known size of a transposed convolution");
    const past =
      grown ??
      (explicit
        ? size - explicit[0] - explicit[1]
        : window.padding === "SAME"
          ? stride
          : size + Math.max(stride - size, 0));
    const total = window.padding === "SAME" ? Math.max(size - past, 0) : (explicit?.[0] ?? 0) + (explicit?.[1] ?? 0);
    const before = explicit ? explicit[0] : Math.floor(total / 2);
    const after = total - before;
    const more = past - (size - total);
    if (more < 0 || more >= Math.max(stride, dilations[i]!)) {
      throw e.broken(`expected a size that ${source} elements at stride ${stride} can become, got ${wanted}`);
    }
    return { before, after, more, length: typeof source === "number" ? (source - 1) * stride + past : null };
  });
  const order = windowOrder(rank, window.channels);
  const weightOrder = [rank - 1, rank - 2, ...kernel.map((_, i) => i)];
  const weight = arranged(
    e,
    filter,
    weightOrder,
    weightOrder.map((axis) => shape[axis]!),
  );
  const node = e.node("ConvTranspose", [e.value(x, order), weight, ...(bias ? [e.value(bias)] : [])], {
    kernel_shape: [...kernel],
    ...(strides.some((v) => v !== 1) ? { strides: [...strides] } : {}),
    ...(dilations.some((v) => v !== 1) ? { dilations: [...dilations] } : {}),
    ...(made.some((m) => m.before + m.after > 0)
      ? { pads: [...made.map((m) => m.before), ...made.map((m) => m.after)] }
      : {}),
    ...(made.some((m) => m.more > 0) ? { output_padding: made.map((m) => m.more) } : {}),
  });
  const axis = channelAxis(rank, window.channels);
  return e.term(
    node.output,
    x.dtype,
    resized(
      x,
      spatial,
      made.map((m) => m.length),
      axis,
      shape[rank - 2]!,
    ),
    order,
  );
}
