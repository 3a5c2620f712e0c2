/**
 * The oracle of lowering: runs a float model in float64 and applies a plan to it directly, x̂ = scale · (clamp(round(x / scale) − offset) + offset),
 * without any Q/DQ operator. It knows the operators of the tests and no others.
 */

import { roundHalfEven } from "../src/base/inner.ts";
import type { Model, Node, Value } from "../src/ir/inner.ts";
import { type Encoding, entriesByValue, forEachRun, gridName, type IntGrid, type Plan } from "../src/quant/inner.ts";
import {
  type Feeds,
  fromBfloat16Bits,
  fromFloat16Bits,
  sizeOf,
  toBfloat16Bits,
  toFloat16Bits,
} from "../src/tensor/inner.ts";
import { nearestListed } from "./number-lists.ts";

/** A tensor of numbers in float64. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Every value of the model by name, as the plan makes it. */
export function runQuantized(model: Model, plan: Plan, feeds: Feeds): Map<string, Numbers> {
  const entries = entriesByValue(plan);
  const results = new Map<string, Numbers>();
  const floats = new Map<string, Numbers>();
  const settle = (value: Value, numbers: Numbers) => {
    const entry = entries.get(value.name);
    if (entry?.floatReaders) floats.set(value.name, numbers);
    const scaleFrom = entry?.kind === "bias" ? entry.scaleFrom : undefined;
    if (scaleFrom)
      results.set(
        value.name,
        ontoAccumulator(
          numbers,
          entries.get(scaleFrom.input)!.encoding!,
          entries.get(scaleFrom.weight)!.encoding!,
          entry!.encoding!,
        ),
      );
    else if (entry?.grid.kind === "float" && !entry.encoding)
      results.set(value.name, shortened(numbers, entry.grid.dtype));
    else results.set(value.name, entry?.encoding ? onto(numbers, entry.encoding) : numbers);
  };
  for (const input of model.graph.inputs)
    settle(input, { shape: feeds[input.name]!.shape, data: Float64Array.from(feeds[input.name]!.numbers()) });
  for (const constant of model.graph.initializers) {
    settle(constant, { shape: constant.initializer!.shape, data: Float64Array.from(constant.initializer!.numbers()) });
  }
  for (const node of model.graph.nodes) {
    const read = ({ name }: Value) =>
      entries.get(name)?.floatReaders?.includes(node.output.name) ? floats.get(name)! : results.get(name)!;
    const inputs = node.inputs.map((value) => (value ? read(value) : null));
    const outputs = compute(node, inputs);
    node.outputs.forEach((value, i) => {
      settle(value, outputs[i]!);
    });
  }
  for (const { name } of model.graph.outputs)
    if (entries.get(name)?.floatReaders?.includes(name)) results.set(name, floats.get(name)!);
  return results;
}

function onto({ shape, data }: Numbers, { scale, offset, grid, granularity, symmetric }: Encoding): Numbers {
  const out = new Float64Array(data.length);
  if (grid.kind !== "int") {
    const name = gridName(grid);
    forEachRun(shape, granularity, (slice, start, end) => {
      const s = Math.fround(scale[slice]!);
      for (let i = start; i < end; i++) out[i] = s * nearestListed(name, Math.fround(Math.fround(data[i]!) / s));
    });
    return { shape, data: out };
  }
  const { bits } = grid as IntGrid;
  const top = 2 ** bits - 1;
  forEachRun(shape, granularity, (slice, start, end) => {
    const s = Math.fround(scale[slice]!);
    const o = offset[slice]!;
    // A strict symmetric grid has as many steps up as down.
    const last = symmetric && o === -(2 ** (bits - 1) - 1) ? top - 1 : top;
    for (let i = start; i < end; i++) {
      const q = Math.min(Math.max(roundHalfEven(Math.fround(Math.fround(data[i]!) / s)) - o, 0), last);
      out[i] = s * (q + o);
    }
  });
  return { shape, data: out };
}

/** float16 and bfloat16, to the nearest, ties to even. */
function shortened({ shape, data }: Numbers, dtype: string): Numbers {
  const short = (x: number) =>
    dtype === "float16" ? fromFloat16Bits(toFloat16Bits(x)) : fromBfloat16Bits(toBfloat16Bits(x));
  return { shape, data: data.map((x) => short(Math.fround(x))) };
}

/** What one stored number stands for, in steps of the scale. */
const unitOf = ({ grid }: Encoding): number => (["float4e2m1", "int2half"].includes(gridName(grid)) ? 0.5 : 1);

/** Blocks have no accumulator of their own: there the plan's scale of the bias is taken as it is. */
function ontoAccumulator({ shape, data }: Numbers, input: Encoding, weight: Encoding, own: Encoding): Numbers {
  const scales =
    weight.granularity.kind === "block"
      ? own.scale.map(Math.fround)
      : weight.scale.map((s) => Math.fround(Math.fround(s * unitOf(weight)) * Math.fround(input.scale[0]!)));
  return {
    shape,
    data: data.map((x, i) => roundHalfEven(Math.fround(x / scales[i % scales.length]!)) * scales[i % scales.length]!),
  };
}

function compute(node: Node, inputs: readonly (Numbers | null)[]): Numbers[] {
  const [a, b] = inputs as Numbers[];
  switch (node.op) {
    case "Conv":
      return [convolve(node, a!, b!, inputs[2] ?? null)];
    case "ConvTranspose":
      return [convolveTransposed(node, a!, b!, inputs[2] ?? null)];
    case "Gemm":
      return [gemm(node, a!, b!, inputs[2] ?? null)];
    case "MatMul":
      return [matMul(a!, b!)];
    case "Add":
      return [broadcast(a!, b!, (x, y) => x + y)];
    case "Mul":
      return [broadcast(a!, b!, (x, y) => x * y)];
    case "Relu":
      return [{ shape: a!.shape, data: a!.data.map((x) => Math.max(x, 0)) }];
    case "Clip":
      return [{ shape: a!.shape, data: a!.data.map((x) => Math.min(Math.max(x, b!.data[0]!), inputs[2]!.data[0]!)) }];
    case "Concat":
      return [concat(node, inputs as Numbers[])];
    case "MaxPool":
      return [pool(node, a!, (window) => Math.max(...window))];
    case "AveragePool":
      return [pool(node, a!, mean)];
    case "GlobalAveragePool": {
      const [n, c, ...rest] = a!.shape as [number, number];
      const each = sizeOf(rest);
      return [
        {
          shape: [n, c, ...rest.map(() => 1)],
          data: Float64Array.from({ length: n * c }, (_, i) => mean(a!.data.subarray(i * each, (i + 1) * each))),
        },
      ];
    }
    case "Flatten":
      return [{ shape: [a!.shape[0]!, sizeOf(a!.shape.slice(1))], data: a!.data }];
    case "Reshape":
      return [{ shape: resolved(Array.from(b!.data), a!.data.length), data: a!.data }];
    default:
      throw new Error(`the reference does not know ${node.op}`);
  }
}

function mean(window: ArrayLike<number>): number {
  return Array.from(window).reduce((sum, x) => sum + x, 0) / window.length;
}

function resolved(shape: number[], size: number): number[] {
  const known = shape.filter((d) => d > 0).reduce((product, d) => product * d, 1);
  return shape.map((d) => (d === -1 ? size / known : d));
}

interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}

function windowOf(node: Node, kernel: readonly number[]): Window {
  return {
    kernel: [kernel[0]!, kernel[1]!],
    strides: node.ints("strides", [1, 1]),
    pads: node.ints("pads", [0, 0, 0, 0]),
  };
}

/** Weight [out, in / groups, kh, kw]. */
function convolve(node: Node, x: Numbers, w: Numbers, bias: Numbers | null): Numbers {
  const [n, c, h, wide] = x.shape as [number, number, number, number];
  const [out, per, kh, kw] = w.shape as [number, number, number, number];
  const { strides, pads } = windowOf(node, [kh, kw]);
  const [oh, ow] = [
    Math.floor((h + pads[0]! + pads[2]! - kh) / strides[0]!) + 1,
    Math.floor((wide + pads[1]! + pads[3]! - kw) / strides[1]!) + 1,
  ];
  const each = out / node.int("group", 1);
  const data = new Float64Array(n * out * oh * ow);
  for (let at = 0, b = 0; b < n; b++)
    for (let o = 0; o < out; o++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++, at++) {
          let sum = bias ? bias.data[o]! : 0;
          for (let p = 0; p < per; p++)
            for (let u = 0; u < kh; u++)
              for (let v = 0; v < kw; v++) {
                const [y, z] = [i * strides[0]! + u - pads[0]!, j * strides[1]! + v - pads[1]!];
                if (y < 0 || z < 0 || y >= h || z >= wide) continue;
                const channel = Math.floor(o / each) * per + p;
                sum += x.data[((b * c + channel) * h + y) * wide + z]! * w.data[((o * per + p) * kh + u) * kw + v]!;
              }
          data[at] = sum;
        }
  return { shape: [n, out, oh, ow], data };
}

/** Weight [in, out / groups, kh, kw]; groups 1. */
function convolveTransposed(node: Node, x: Numbers, w: Numbers, bias: Numbers | null): Numbers {
  const [n, c, h, wide] = x.shape as [number, number, number, number];
  const [, out, kh, kw] = w.shape as [number, number, number, number];
  const { strides, pads } = windowOf(node, [kh, kw]);
  const [oh, ow] = [
    (h - 1) * strides[0]! + kh - pads[0]! - pads[2]!,
    (wide - 1) * strides[1]! + kw - pads[1]! - pads[3]!,
  ];
  const data = new Float64Array(n * out * oh * ow).map((_, i) =>
    bias ? bias.data[Math.floor(i / (oh * ow)) % out]! : 0,
  );
  for (let b = 0; b < n; b++)
    for (let p = 0; p < c; p++)
      for (let i = 0; i < h; i++)
        for (let j = 0; j < wide; j++)
          for (let o = 0; o < out; o++)
            for (let u = 0; u < kh; u++)
              for (let v = 0; v < kw; v++) {
                const [y, z] = [i * strides[0]! + u - pads[0]!, j * strides[1]! + v - pads[1]!];
                if (y < 0 || z < 0 || y >= oh || z >= ow) continue;
                data[((b * out + o) * oh + y) * ow + z]! +=
                  x.data[((b * c + p) * h + i) * wide + j]! * w.data[((p * out + o) * kh + u) * kw + v]!;
              }
  return { shape: [n, out, oh, ow], data };
}

function gemm(node: Node, x: Numbers, w: Numbers, bias: Numbers | null): Numbers {
  const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
  const product = matMul(node.int("transA", 0) ? transposed(x) : x, node.int("transB", 0) ? transposed(w) : w);
  const scaled = { shape: product.shape, data: product.data.map((v) => alpha * v) };
  return bias ? broadcast(scaled, bias, (p, q) => p + beta * q) : scaled;
}

function transposed({ shape, data }: Numbers): Numbers {
  const [rows, columns] = shape as [number, number];
  return { shape: [columns, rows], data: data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!) };
}

/** [..., rows, inner] × [inner, columns], or with equal leading lengths. */
function matMul(a: Numbers, b: Numbers): Numbers {
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const columns = b.shape[b.shape.length - 1]!;
  const lead = a.shape.length >= b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
  const data = new Float64Array(sizeOf(lead) * rows * columns);
  const [stepA, stepB] = [a.shape.length > 2 ? rows * inner : 0, b.shape.length > 2 ? inner * columns : 0];
  for (let i = 0; i < data.length; i++) {
    const batch = Math.floor(i / (rows * columns));
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    for (let k = 0; k < inner; k++)
      data[i]! += a.data[batch * stepA + row * inner + k]! * b.data[batch * stepB + k * columns + column]!;
  }
  return { shape: [...lead, rows, columns], data };
}

function broadcast(a: Numbers, b: Numbers, f: (x: number, y: number) => number): Numbers {
  const rank = Math.max(a.shape.length, b.shape.length);
  const padded = (shape: readonly number[]) => [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const [sa, sb] = [padded(a.shape), padded(b.shape)];
  const shape = sa.map((d, i) => Math.max(d, sb[i]!));
  const at = (lengths: readonly number[], index: number) => {
    let [offset, rest] = [0, index];
    let stride = 1;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const position = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
      if (lengths[axis]! > 1) offset += position * stride;
      stride *= lengths[axis]!;
    }
    return offset;
  };
  return {
    shape,
    data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(a.data[at(sa, i)]!, b.data[at(sb, i)]!)),
  };
}

function concat(node: Node, parts: readonly Numbers[]): Numbers {
  const axis = node.int("axis")!;
  const outer = sizeOf(parts[0]!.shape.slice(0, axis));
  const rows = Array.from({ length: outer }, (_, row) =>
    parts.map(({ shape, data }) => {
      const each = sizeOf(shape.slice(axis));
      return Array.from(data.subarray(row * each, (row + 1) * each));
    }),
  );
  const shape = parts[0]!.shape.map((d, i) => (i === axis ? parts.reduce((sum, p) => sum + p.shape[axis]!, 0) : d));
  return { shape, data: Float64Array.from(rows.flat(2)) };
}

function pool(node: Node, x: Numbers, reduce: (window: number[]) => number): Numbers {
  const { kernel, strides, pads } = windowOf(node, node.ints("kernel_shape")!);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const oh = Math.floor((h + pads[0]! + pads[2]! - kernel[0]) / strides[0]!) + 1;
  const ow = Math.floor((w + pads[1]! + pads[3]! - kernel[1]) / strides[1]!) + 1;
  const data = Float64Array.from({ length: n * c * oh * ow }, (_, at) => {
    const [plane, i, j] = [Math.floor(at / (oh * ow)), Math.floor(at / ow) % oh, at % ow];
    const window: number[] = [];
    for (let u = 0; u < kernel[0]; u++)
      for (let v = 0; v < kernel[1]; v++) {
        const [y, z] = [i * strides[0]! + u - pads[0]!, j * strides[1]! + v - pads[1]!];
        if (y >= 0 && z >= 0 && y < h && z < w) window.push(x.data[(plane * h + y) * w + z]!);
      }
    return reduce(window);
  });
  return { shape: [n, c, oh, ow], data };
}
