/** The kernel in WebAssembly against plain loops, and how a histogram is asked for its bins. */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Random } from "../../base/inner.ts";
import {
  type BinSource,
  type Bins,
  kernel,
  mostErrors,
  plainKernel,
  type Sweep,
  wasmKernel,
} from "./histogram-kernel.ts";

/** Much faster than `toEqual` for thousands of numbers. */
const sameCounts = (a: Float64Array, b: Float64Array) => a.every((count, i) => count === b[i]);

/** The same bins for every piece; with no numbers none are opened. */
const always = (bins: Bins): BinSource => ({ holds: () => true, open: () => bins });

const numbers = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { maxLength: 70 });

test("WebAssembly counts like the plain loop, bit by bit", () => {
  const wasm = wasmKernel()!;
  fc.assert(
    fc.property(
      numbers,
      fc.double({ min: 0.01, max: 3, noNaN: true }),
      fc.integer({ min: -1100, max: 100 }),
      fc.integer({ min: 1, max: 9 }),
      (values, inverse, origin, length) => {
        const x = Float32Array.from(values);
        const [a, b] = [new Float64Array(3 * 2048), new Float64Array(3 * 2048)];
        const planes = { length, groupOf: Uint8Array.of(0, 2, 1, 2) };
        const whole = x.subarray(0, x.length - (x.length % length));
        for (const [numbers, layout] of [[x, undefined] as const, [whole, planes] as const]) {
          const seen = wasm.histogram(numbers, always({ inverse, origin, counts: a }), layout);
          expect(seen).toEqual(plainKernel.histogram(numbers, always({ inverse, origin, counts: b }), layout));
        }
        expect(sameCounts(a, b)).toBe(true);
        expect(wasm.range(x)).toEqual(plainKernel.range(x));
      },
    ),
  );
});

test("long stretches, planes across pieces, numbers far outside the bins, and signed zeros", () => {
  const wasm = wasmKernel()!;
  const random = new Random(1);
  const x = Float32Array.from({ length: 140_000 }, () => random.uniform(-4, 4) ** 3);
  x.set([3.4e38, -3.4e38, -0, 0, 1e-40]);
  // Planes of 5,000 fill a piece of 65,536 thirteen times, planes of 70,000 are longer than it.
  for (const length of [5000, 70_000]) {
    const planes = { length, groupOf: Uint8Array.of(7, 2, 1, 0) };
    const [a, b] = [new Float64Array(8 * 2048), new Float64Array(8 * 2048)];
    wasm.histogram(x, always({ inverse: 30, origin: -1000, counts: a }), planes);
    plainKernel.histogram(x, always({ inverse: 30, origin: -1000, counts: b }), planes);
    expect(sameCounts(a, b)).toBe(true);
  }
  const odd = x.subarray(3);
  expect(wasm.range(odd)).toEqual(plainKernel.range(odd));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(wasm.range(Float32Array.of(1, bad, 2, 3)).finite).toBe(false);
    expect(wasm.range(Float32Array.of(1, 2, 3, 4, 5, bad)).finite).toBe(false);
    expect(plainKernel.range(Float32Array.of(1, bad, 2)).finite).toBe(false);
  }
});

test("the squared error of a grid is that of the plain loop, and is given up past what is enough", () => {
  const wasm = wasmKernel()!;
  fc.assert(
    fc.property(
      numbers,
      fc.double({ min: 1e-3, max: 3, noNaN: true }),
      fc.integer({ min: -128, max: 0 }),
      fc.integer({ min: 1, max: 255 }),
      fc.double({ min: 0, max: 2, noNaN: true }),
      (values, scale, offset, steps, share) => {
        const x = Float32Array.from([...values, ...values, ...values]);
        const errors = [plainKernel, wasm].map((kernel) => kernel.errors(x)({ scale, offset }, steps, 1e12));
        const [plain, fast] = errors as [number, number];
        // Sums of up to 210 squares in another order: float64 keeps fifteen digits of them.
        expect(Math.abs(fast - plain)).toBeLessThanOrEqual(1e-12 * plain);
        const enough = share * plain;
        const given = wasm.errors(x)({ scale, offset }, steps, enough);
        if (enough >= fast) expect(given).toBe(fast);
        else expect(given).toBeGreaterThan(enough);
      },
    ),
  );
});

describe("bins for pieces", () => {
  /** Two pieces and a half, each number twice as large as in the piece before. */
  const x = Float32Array.from({ length: 160_000 }, (_, i) => 2 ** Math.floor(i / 65_536) * (1 + (i % 3)));

  test("are asked for when those before do not hold a piece, with everything counted until then", () => {
    const wasm = wasmKernel()!;
    const counts = new Float64Array(2048);
    const asked: [number, number, number][] = [];
    const total = () => counts.reduce((a, b) => a + b, 0);
    const seen = wasm.histogram(x, {
      holds: ({ max }: Sweep) => max < 12,
      open: ({ min, max }) => {
        asked.push([min, max, total()]);
        return { inverse: 1, origin: 0, counts };
      },
    });
    expect(asked).toEqual([
      [1, 3, 0],
      [4, 12, 131_072],
    ]);
    expect(seen).toEqual({ min: 1, max: 12, zeros: 0, finite: true });
    const wanted = new Array<number>(13).fill(0);
    for (const one of x) wanted[one]!++;
    expect([...counts.subarray(0, 13)]).toEqual(wanted);
  });

  test("none: nothing more is counted", () => {
    const wasm = wasmKernel()!;
    const counts = new Float64Array(2048);
    for (const one of [wasm, plainKernel]) {
      let opened = 0;
      const seen = one.histogram(x, {
        holds: () => false,
        open: () => (opened++ === 0 ? { inverse: 1, origin: 0, counts } : null),
      });
      if (one === wasm) expect(seen).toEqual({ min: 1, max: 6, zeros: 0, finite: true });
      else
        expect(one.histogram(x, { holds: () => false, open: () => null })).toEqual({
          min: 1,
          max: 12,
          zeros: 0,
          finite: true,
        });
    }
    expect(counts.reduce((a, b) => a + b)).toBe(65_536 + 160_000);
  });

  test("more channels than fit are counted by the plain loop", () => {
    const wasm = wasmKernel()!;
    const groupOf = Uint8Array.from({ length: 65_537 }, (_, i) => i % 2);
    const values = Float32Array.from(groupOf, (_, i) => i % 5);
    const counts = new Float64Array(2 * 2048);
    wasm.histogram(values, always({ inverse: 1, origin: 0, counts }), { length: 1, groupOf });
    for (const group of [0, 1]) {
      const wanted = [0, 1, 2, 3, 4].map((value) => values.filter((v, i) => v === value && i % 2 === group).length);
      expect([...counts.subarray(2048 * group, 2048 * group + 5)]).toEqual(wanted);
    }
  });
});

describe("the platform", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test("with WebAssembly there is one kernel, as many numbers as it takes at once included", () => {
    expect(kernel()).toBe(kernel());
    const values = new Float32Array(mostErrors).fill(2);
    expect(kernel().errors(values)({ scale: 1, offset: 0 }, 1, Number.POSITIVE_INFINITY)).toBe(mostErrors);
  });

  test("the kernel is the one in WebAssembly where there is one", async () => {
    vi.resetModules();
    const again = await import("./histogram-kernel.ts");
    expect(again.kernel()).not.toBe(again.plainKernel);
  });

  test("without WebAssembly, or without SIMD, there is none; other faults are told", () => {
    const { CompileError, Instance } = WebAssembly;
    const failing = (error: unknown) => ({
      CompileError,
      Instance,
      Module: class {
        constructor() {
          throw error;
        }
      },
    });
    vi.stubGlobal("WebAssembly", failing(new CompileError("no SIMD")));
    expect(wasmKernel()).toBeNull();
    vi.stubGlobal("WebAssembly", failing(new ReferenceError("no WebAssembly")));
    expect(wasmKernel()).toBeNull();
    vi.stubGlobal("WebAssembly", failing(new RangeError("no memory")));
    expect(wasmKernel).toThrow("no memory");
  });
});
