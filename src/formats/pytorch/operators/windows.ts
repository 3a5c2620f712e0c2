/** ATen's pooling, padding and resampling. */
import { Tensor } from "../../../tensor/inner.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

function perAxis(given: readonly number[], axes: number, otherwise: readonly number[]): readonly number[] {
  if (given.length === axes) return given;
  return given.length === 1 ? new Array<number>(axes).fill(given[0]!) : otherwise;
}

/** With a batch axis, which PyTorch does without. */
function batched(c: Call, self: Term, axes: number, op: (x: Term) => Term): Term {
  if (self.shape.length > axes + 1) return op(self);
  const wide = c.e.term(c.emit("Unsqueeze", [self, c.e.ints([0])]).output, self.dtype, [1, ...self.shape]);
  return c.give("Squeeze", [op(wide), c.e.ints([0])]);
}

const pool =
  (op: "MaxPool" | "AveragePool", axes: number): Row =>
  (c) => {
    const ones = new Array<number>(axes).fill(1);
    const zeros = new Array<number>(axes).fill(0);
    const kernel = perAxis(c.ints("kernel_size"), axes, ones);
    const strides = perAxis(c.ints("stride", []), axes, kernel);
    const padding = perAxis(c.ints("padding", []), axes, zeros);
    const dilations = perAxis(c.ints("dilation", []), axes, ones);
    if (c.has("divisor_override")) throw c.fail("a divisor of its own");
    const self = c.t("self");
    const isCeiling = c.bool("ceil_mode", false);
    const attributes = {
      kernel_shape: [...kernel],
      strides: [...strides],
      pads: [...padding, ...padding],
      ...(op === "MaxPool" ? { dilations: [...dilations] } : {}),
      ...(op === "AveragePool" ? { count_include_pad: Number(c.bool("count_include_pad", true)) } : {}),
      ...(isCeiling ? { ceil_mode: 1 } : {}),
    };
    if (isCeiling && op === "MaxPool") attributes.pads = exactPads(c, self, { kernel, strides, padding, dilations });
    if (isCeiling && op === "MaxPool") attributes.ceil_mode = 0;
    const made = batched(c, self, axes, (x) => {
      const { output } = c.emit(op, [x], attributes);
      return x === self ? c.wrap(output) : c.e.term(output, self.dtype, [1, ...c.out().shape]);
    });
    if (c.outputs.length < 2) return made;
    return [made, undefined];
  };

/** Where lengths are rounded up, PyTorch drops windows that would begin in the padding: the padding is what is left then. */
function exactPads(
  c: Call,
  self: Term,
  w: Readonly<Record<"kernel" | "strides" | "padding" | "dilations", readonly number[]>>,
): number[] {
  const axes = w.kernel.length;
  const [from, to] = [lengthsOf(self.shape.slice(-axes)), lengthsOf(c.out().shape.slice(-axes))];
  if (!from || !to) throw c.fail("lengths that are rounded up and depend on the input");
  const ends = w.kernel.map((size, i) => {
    const used = (to[i]! - 1) * w.strides[i]! + w.dilations[i]! * (size - 1) + 1;
    return Math.max(0, used - from[i]! - w.padding[i]!);
  });
  return [...w.padding, ...ends];
}

/** Windows that PyTorch chooses so that so many come out; as a product with a matrix where they are not all alike. */
const adaptive =
  (kind: "Average" | "Max", axes: number): Row =>
  (c) => {
    const self = c.t("self");
    const to = perAxis(c.ints("output_size"), axes, []);
    const from = lengthsOf(self.shape.slice(-axes));
    const first = (term: Term) => (c.outputs.length < 2 ? term : [term, undefined]);
    if (to.every((length) => length === 1)) {
      return first(
        batched(c, self, axes, (x) => {
          const { output } = c.emit(`Global${kind}Pool`, [x]);
          return x === self ? c.wrap(output) : c.e.term(output, self.dtype, [1, ...c.out().shape]);
        }),
      );
    }
    if (!from) throw c.fail("windows whose size depends on the input");
    if (from.every((length, i) => length % to[i]! === 0)) {
      const kernel = from.map((length, i) => length / to[i]!);
      return first(
        batched(c, self, axes, (x) => {
          const { output } = c.emit(`${kind}Pool`, [x], { kernel_shape: kernel, strides: kernel });
          return x === self ? c.wrap(output) : c.e.term(output, self.dtype, [1, ...c.out().shape]);
        }),
      );
    }
    if (kind === "Max" || axes > 2) throw c.fail(`windows of ${from} for ${to}`);
    let term: Term = self;
    const rank = self.shape.length;
    for (let i = 0; i < axes; i++) {
      const matrix = c.e.constant(averaging(from[i]!, to[i]!));
      const shape = [...term.shape];
      shape[rank - axes + i] = to[i]!;
      // The last axis from the right, the one before it from the left.
      term =
        i === axes - 1
          ? c.mid("MatMul", [term, c.e.value(matrix, [1, 0])], {}, self.dtype, shape)
          : c.mid("MatMul", [matrix, term], {}, self.dtype, shape);
    }
    return first(term);
  };

/** [to, from]: window i goes from ⌊i · from / to⌋ to ⌈(i + 1) · from / to⌉. */
function averaging(from: number, to: number): Tensor {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    matrix.fill(1 / (end - start), i * from + start, i * from + end);
  }
  return Tensor.float32([to, from], matrix);
}

/** PyTorch names pads from the last axis on, both ends of each. */
function pad(c: Call, mode: string, pads: readonly number[], value?: number): Term {
  const self = c.t("self");
  const rank = self.shape.length;
  const [begin, end] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  for (let i = 0; 2 * i + 1 < pads.length; i++) {
    begin[rank - 1 - i] = pads[2 * i]!;
    end[rank - 1 - i] = pads[2 * i + 1]!;
  }
  const fill = value ? c.scalar(value, self.dtype) : null;
  return c.give("Pad", [self, c.e.ints([...begin, ...end]), fill], mode === "constant" ? {} : { mode });
}

const modes: Readonly<Record<string, string>> = {
  constant: "constant",
  reflect: "reflect",
  replicate: "edge",
  circular: "wrap",
};

const padWith =
  (mode: string): Row =>
  (c) =>
    pad(c, mode, c.ints(c.has("padding") ? "padding" : "pad"), c.has("value") ? c.number("value") : undefined);

const resize =
  (mode: "nearest" | "linear" | "cubic", extra: Readonly<Record<string, number>> = {}): Row =>
  (c) => {
    const [self, { shape }] = [c.t(c.has("self") ? "self" : "input"), c.out()];
    const factors = c.floats("scale_factors") ?? singleFactors(c, shape.length - 2);
    const isAligned = c.bool("align_corners", false);
    const attributes = {
      mode,
      coordinate_transformation_mode: isAligned
        ? "align_corners"
        : mode === "nearest"
          ? "asymmetric"
          : extra.antialias
            ? "half_pixel"
            : "pytorch_half_pixel",
      ...(mode === "nearest" ? { nearest_mode: "floor" } : {}),
      ...(mode === "cubic" ? { cubic_coeff_a: extra.antialias ? -0.5 : -0.75 } : {}),
      ...(extra.antialias ? { antialias: 1, exclude_outside: 1 } : {}),
    };
    if (factors) {
      const scales = c.e.numbers([1, 1, ...factors], "float32");
      return c.give("Resize", [self, null, scales], attributes);
    }
    const sizes = lengthsOf(shape)
      ? c.e.ints(shape as number[])
      : c.vector([c.length(self, 0), c.length(self, 1), ...c.wholes("output_size")]);
    return c.give("Resize", [self, null, null, sizes], attributes);
  };

/** The form of the decomposed operators: a factor for each axis, or none. */
function singleFactors(c: Call, axes: number): readonly number[] | undefined {
  const names = axes === 1 ? ["scales"] : axes === 2 ? ["scales_h", "scales_w"] : ["scales_d", "scales_h", "scales_w"];
  return names.every((name) => c.has(name)) ? names.map((name) => c.number(name)) : undefined;
}

/** Patches as columns: a depthwise convolution with one kernel for each place of the window. */
const im2col: Row = (c) => {
  const self = c.t("self");
  const [height, width] = perAxis(c.ints("kernel_size"), 2, [1, 1]);
  const [channels] = lengthsOf(self.shape.slice(1, 2)) ?? [];
  const places = height! * width!;
  if (self.shape.length !== 4 || channels === undefined) throw c.fail("patches of other shapes than [n, c, h, w]");
  if (!(channels * places * places <= 2 ** 22)) throw c.fail(`patches of ${places} places`);
  const kernels = new Float32Array(channels * places * places);
  for (let i = 0; i < channels * places; i++) kernels[i * places + (i % places)] = 1;
  const padding = perAxis(c.ints("padding"), 2, [0, 0]);
  const patches = c.emit(
    "Conv",
    [self, c.cast(c.e.constant(Tensor.float32([channels * places, 1, height!, width!], kernels)), self.dtype)],
    {
      kernel_shape: [height!, width!],
      strides: [...perAxis(c.ints("stride"), 2, [1, 1])],
      dilations: [...perAxis(c.ints("dilation"), 2, [1, 1])],
      pads: [...padding, ...padding],
      group: channels,
    },
  ).output;
  return c.give("Reshape", [patches, c.e.ints([0, channels * places, -1])]);
};

const gridSample: Row = (c) => {
  const mode = ["linear", "nearest", "cubic"][c.number("interpolation_mode", 0)];
  const padding = ["zeros", "border", "reflection"][c.number("padding_mode", 0)];
  if (mode === undefined || padding === undefined) throw c.fail("a mode without a name");
  return c.give("GridSample", [c.t("input"), c.t("grid")], {
    mode,
    padding_mode: padding,
    align_corners: Number(c.bool("align_corners", false)),
  });
};

export const windows: Readonly<Record<string, Row>> = {
  max_pool1d: pool("MaxPool", 1),
  max_pool2d: pool("MaxPool", 2),
  max_pool3d: pool("MaxPool", 3),
  max_pool2d_with_indices: pool("MaxPool", 2),
  max_pool3d_with_indices: pool("MaxPool", 3),
  avg_pool1d: pool("AveragePool", 1),
  avg_pool2d: pool("AveragePool", 2),
  avg_pool3d: pool("AveragePool", 3),
  adaptive_avg_pool1d: adaptive("Average", 1),
  adaptive_avg_pool2d: adaptive("Average", 2),
  adaptive_avg_pool3d: adaptive("Average", 3),
  _adaptive_avg_pool2d: adaptive("Average", 2),
  _adaptive_avg_pool3d: adaptive("Average", 3),
  adaptive_max_pool1d: adaptive("Max", 1),
  adaptive_max_pool2d: adaptive("Max", 2),
  pad: (c) => {
    const mode = modes[c.text("mode", "constant")];
    if (mode === undefined) throw c.fail("a padding mode without a name");
    return pad(c, mode, c.ints("pad"), c.has("value") ? c.number("value") : undefined);
  },
  constant_pad_nd: padWith("constant"),
  reflection_pad1d: padWith("reflect"),
  reflection_pad2d: padWith("reflect"),
  reflection_pad3d: padWith("reflect"),
  replication_pad1d: padWith("edge"),
  replication_pad2d: padWith("edge"),
  replication_pad3d: padWith("edge"),
  upsample_nearest1d: resize("nearest"),
  upsample_nearest2d: resize("nearest"),
  upsample_nearest3d: resize("nearest"),
  upsample_linear1d: resize("linear"),
  upsample_bilinear2d: resize("linear"),
  upsample_trilinear3d: resize("linear"),
  upsample_bicubic2d: resize("cubic"),
  _upsample_bilinear2d_aa: resize("linear", { antialias: 1 }),
  _upsample_bicubic2d_aa: resize("cubic", { antialias: 1 }),
  im2col,
  grid_sampler: gridSample,
  grid_sampler_2d: gridSample,
};
