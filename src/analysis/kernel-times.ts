/**
 * Where a quantized file loses time against float: what each operator took in both, as ONNX Runtime's profile says, gathered by what
 * operators do. A convolution is called Conv, FusedConv or QLinearConv there, and what one fuses another runs apart, so that
 * families are compared, not nodes.
 */

import type { SessionOptions } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";

/** Runs a file a few times and tells what its operators took. */
export type Profiler = (
  file: string | Uint8Array,
  feeds: Feeds,
  options: SessionOptions,
) => Promise<readonly KernelTime[]>;

/** One operator that runs. */
export interface KernelTime {
  /** The node of the graph that the runtime made of the file. */
  readonly node: string;
  readonly op: string;
  /** Of its shortest run, milliseconds. */
  readonly ms: number;
}

/** A family of operators that takes longer in the quantized file. */
export interface KernelLoss {
  /** The operator that takes most of it there: QLinearAveragePool, QuantizeLinear … */
  readonly kernel: string;
  /** The slowest node of it. */
  readonly node: string;
  /** Milliseconds of the whole family. */
  readonly float: number;
  readonly quantized: number;
}

/** The shortest run of every operator in a profile of ONNX Runtime: events of its trace, as JSON. */
export function kernelTimes(profile: string): KernelTime[] {
  const best = new Map<string, KernelTime>();
  for (const { cat, name, dur, args } of JSON.parse(profile) as readonly TraceEvent[]) {
    if (cat !== "Node" || !name.endsWith(suffix)) continue;
    const found = { node: name.slice(0, -suffix.length), op: args?.op_name ?? "", ms: dur / 1000 };
    const key = `${found.op} ${found.node}`;
    if (found.ms < (best.get(key)?.ms ?? Number.POSITIVE_INFINITY)) best.set(key, found);
  }
  return [...best.values()];
}

const suffix = "_kernel_time";

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** Losses below this share of float's time are noise. */
const least = 0.03;

/** The families that take longer in the quantized file, the largest loss first. */
export function kernelLosses(float: readonly KernelTime[], quantized: readonly KernelTime[]): KernelLoss[] {
  const before = byFamily(float);
  const whole = total(float);
  return [...byFamily(quantized)]
    .flatMap(([family, kernels]): KernelLoss[] => {
      const slowest = kernels.reduce((a, b) => (b.ms > a.ms ? b : a));
      const sides = { float: total(before.get(family) ?? []), quantized: total(kernels) };
      const lost = sides.quantized - sides.float;
      return lost > least * whole ? [{ kernel: slowest.op, node: slowest.node, ...sides }] : [];
    })
    .sort((a, b) => b.quantized - b.float - (a.quantized - a.float));
}

function byFamily(times: readonly KernelTime[]): Map<string, KernelTime[]> {
  const families = new Map<string, KernelTime[]>();
  for (const time of times) {
    const family = familyOf(time.op);
    families.set(family, [...(families.get(family) ?? []), time]);
  }
  return families;
}

/** An operator by what it does, whatever it is fused with and whatever numbers it takes. */
function familyOf(op: string): string {
  const plain = op.replace(/^(QLinear|Fused|Nhwc|NhwcFused)(?=[A-Z])/, "");
  return families[plain] ?? plain;
}

const [product, quantizer, layout] = ["product", "quantizer", "layout"];
const families: Readonly<Record<string, string>> = {
  Gemm: product,
  QGemm: product,
  MatMul: product,
  MatMulInteger: product,
  MatMulIntegerToFloat: product,
  MatMulNBits: product,
  DynamicQuantizeMatMul: product,
  ConvInteger: "Conv",
  QuantizeLinear: quantizer,
  DequantizeLinear: quantizer,
  DynamicQuantizeLinear: quantizer,
  Cast: quantizer,
  Transpose: layout,
  ReorderInput: layout,
  ReorderOutput: layout,
};

function total(times: readonly KernelTime[]): number {
  return times.reduce((sum, { ms }) => sum + ms, 0);
}
