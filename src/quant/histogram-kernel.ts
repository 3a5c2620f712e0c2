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

/** Numbers in one piece or in several, which count as one. */
export type Parts = readonly Float32Array[];

export interface HistogramKernel {
  /** Range of the numbers. */
  range(parts: Parts): Sweep;
  /**
   * Range, and adds every number to `bins[floor(x · inverse) − origin]` (product in float32); what lies outside the
   * 2,048 bins is left out. `bins` has `binCount` counters, `inverse` is one over their width.
   */
  histogram(parts: Parts, inverse: number, origin: number, bins: Float64Array): Sweep;
}

/** The plain TypeScript form: any platform, and the reference for the tests. */
export const plainKernel: HistogramKernel = {
  range: (parts) => sweep(parts, () => {}),
  histogram(parts, inverse, origin, bins) {
    const factor = Math.fround(inverse);
    return sweep(parts, (x) => {
      const bin = Math.floor(Math.fround(x * factor)) - origin;
      if (bin >= 0 && bin < binCount) bins[bin]!++;
    });
  },
};

function sweep(parts: Parts, each: (x: number) => void): Sweep {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let zeros = 0;
  let finite = true;
  for (const part of parts) {
    for (const x of part) {
      if (x < min) min = x;
      if (x > max) max = x;
      if (x === 0) zeros++;
      if (!Number.isFinite(x)) finite = false;
      each(x);
    }
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
  /** Fills the chunk from all parts in turn; the up to three numbers that are left over go through the plain kernel. */
  const inChunks = (parts: Parts, run: (count: number) => void, rest: (parts: Parts) => Sweep): Sweep => {
    let seen: Sweep = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, zeros: 0, finite: true };
    let filled = 0;
    const take = (count: number) => {
      run(count);
      seen = join(seen, { min: floats[0]!, max: floats[1]!, zeros: counts[0]!, finite: counts[1] === 0 });
    };
    for (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const count = Math.min(chunk - filled, part.length - at);
        numbers.set(count === part.length ? part : part.subarray(at, at + count), filled);
        at += count;
        filled += count;
        if (filled === chunk) {
          take(chunk);
          filled = 0;
        }
      }
    }
    const whole = filled - (filled % 4);
    if (whole > 0) take(whole);
    return join(seen, rest([numbers.subarray(whole, filled)]));
  };
  return {
    range: (parts) => inChunks(parts, (count) => exports.range(count), plainKernel.range),
    histogram(parts, inverse, origin, bins) {
      tables.fill(0);
      const seen = inChunks(
        parts,
        (count) => exports.histogram(count, inverse, origin),
        (rest) => plainKernel.histogram(rest, inverse, origin, bins),
      );
      const [a, b, c, d] = [0, 1, 2, 3].map((i) => tables.subarray(i * tableLength + 1)) as Uint32Array[];
      for (let i = 0; i < binCount; i++) bins[i]! += a![i]! + b![i]! + c![i]! + d![i]!;
      return seen;
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
