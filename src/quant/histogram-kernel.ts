/**
 * One sweep over float32 numbers: minimum, maximum, zeros, whether all are finite, and how many fall into each of
 * 2,048 bins of equal width. In WebAssembly with SIMD where the platform has it; the plain loop is the reference.
 */
import { histogramKernel } from "./kernels.generated.ts";

/** Bins of a histogram. 2,048 give an 8-bit grid at least four bins a step. */
export const binCount = 2048;

export interface Sweep {
  /** Infinity where there was no number. */
  readonly min: number;
  readonly max: number;
  /** Numbers equal to zero. */
  readonly zeros: number;
  /** Whether there was neither NaN nor an infinity. */
  readonly finite: boolean;
}

export interface HistogramKernel {
  /** Range of the numbers. */
  range(values: Float32Array): Sweep;
  /**
   * Range, and adds every number to `bins[floor(x · inverse) − origin]` (product in float32); what lies
   * outside the 2,048 bins is left out. `bins` has `binCount` counters, `inverse` is one over their width.
   */
  histogram(values: Float32Array, inverse: number, origin: number, bins: Float64Array): Sweep;
}

/** The plain TypeScript form: any platform, and the reference for the tests. */
export const plainKernel: HistogramKernel = {
  range: (values) => sweep(values, () => {}),
  histogram(values, inverse, origin, bins) {
    const factor = Math.fround(inverse);
    return sweep(values, (x) => {
      const bin = Math.floor(Math.fround(x * factor)) - origin;
      if (bin >= 0 && bin < binCount) bins[bin]!++;
    });
  },
};

function sweep(values: Float32Array, each: (x: number) => void): Sweep {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let zeros = 0;
  let finite = true;
  for (const x of values) {
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    if (!Number.isFinite(x)) finite = false;
    each(x);
  }
  return { min, max, zeros, finite };
}

// Layout of the module's memory; see tools/histogram-kernel.wat.
const tableLength = 2052;
const resultsAt = 32_832;
const numbersAt = 32_896;
/** Numbers handed over at once: 256 KiB stays in the second-level cache. */
const chunk = 65_536;

interface Exports {
  readonly memory: WebAssembly.Memory;
  range(count: number): void;
  histogram(count: number, inverse: number, origin: number): void;
}

/** The WebAssembly form, or null where the platform has no WebAssembly with SIMD. */
export function wasmKernel(): HistogramKernel | null {
  try {
    const bytes = Uint8Array.from(atob(histogramKernel), (c) => c.charCodeAt(0));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return wrap(instance.exports as unknown as Exports);
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof WebAssembly.CompileError) return null;
    throw error;
  }
}

function wrap(exports: Exports): HistogramKernel {
  const { buffer } = exports.memory;
  const tables = new Uint32Array(buffer, 0, 4 * tableLength);
  const floats = new Float32Array(buffer, resultsAt, 2);
  const counts = new Uint32Array(buffer, resultsAt + 8, 2);
  const numbers = new Float32Array(buffer, numbersAt, chunk);
  const inChunks = (values: Float32Array, run: (count: number) => void): Sweep => {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    let zeros = 0;
    let finite = true;
    const take = (count: number) => {
      run(count);
      min = Math.min(min, floats[0]!);
      max = Math.max(max, floats[1]!);
      zeros += counts[0]!;
      finite &&= counts[1] === 0;
    };
    const whole = values.length - (values.length % 4);
    for (let at = 0; at < whole; at += chunk) {
      const end = Math.min(at + chunk, whole);
      numbers.set(values.subarray(at, end));
      take(end - at);
    }
    return { min, max, zeros, finite };
  };
  return {
    range(values) {
      return join(
        inChunks(values, (count) => exports.range(count)),
        plainKernel.range(values.subarray(values.length - (values.length % 4))),
      );
    },
    histogram(values, inverse, origin, bins) {
      tables.fill(0);
      const body = inChunks(values, (count) => exports.histogram(count, inverse, origin));
      for (let bin = 0, i = 1; bin < binCount; bin++, i++) {
        bins[bin]! +=
          tables[i]! + tables[i + tableLength]! + tables[i + 2 * tableLength]! + tables[i + 3 * tableLength]!;
      }
      return join(
        body,
        plainKernel.histogram(values.subarray(values.length - (values.length % 4)), inverse, origin, bins),
      );
    },
  };
}

function join(a: Sweep, b: Sweep): Sweep {
  return {
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    zeros: a.zeros + b.zeros,
    finite: a.finite && b.finite,
  };
}

let chosen: HistogramKernel | undefined;

/** The fastest kernel of this platform. */
export function kernel(): HistogramKernel {
  chosen ??= wasmKernel() ?? plainKernel;
  return chosen;
}
