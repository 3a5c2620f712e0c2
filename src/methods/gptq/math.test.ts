import { expect, test } from "vitest";
import { randomProblem } from "../../../test/rounding-problem.ts";
import { roundHalfEven } from "../../base/inner.ts";
import { nearest, objective } from "../on-moments/rounding-problem.ts";
import { type ColumnOptions, choleskyLower, gptq, inverseFactor, invert, type Multiply } from "./math.ts";

function multiply(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) c[i * n + j]! += a[i * n + k]! * b[k * n + j]!;
  return c;
}

test("factors multiply back, and the inverse is one", () => {
  const { h, columns: n } = randomProblem(5, 1, 1, 6);
  for (let i = 0; i < n; i++) h[i * n + i]! += 0.1;
  const transposed = (m: Float64Array) => m.map((_, at) => m[(at % n) * n + Math.floor(at / n)]!);
  const lower = choleskyLower(h, n);
  const [a, c] = [multiply(lower, transposed(lower), n), multiply(h, invert(h, n), n)];
  for (let i = 0; i < n * n; i++) {
    expect(a[i]).toBeCloseTo(h[i]!, 10);
    expect(c[i]).toBeCloseTo(i % (n + 1) === 0 ? 1 : 0, 8);
  }
});

/** GPTQ as the paper derives it: after each column the inverse loses its row and column by elimination (OBQ). */
function slowGptq(problem: ReturnType<typeof randomProblem>, damping: number): Float64Array {
  const { columns: n, weight, scale, low, high, h } = problem;
  const damped = h.slice();
  let trace = 0;
  for (let i = 0; i < n; i++) trace += h[i * n + i]!;
  for (let i = 0; i < n; i++) damped[i * n + i]! += (damping * trace) / n;
  const integers = new Float64Array(weight.length);
  for (let row = 0; row < problem.outputs; row++) {
    const inverse = invert(damped, n);
    const w = weight.slice(row * n, (row + 1) * n);
    for (let j = 0; j < n; j++) {
      const at = row * n + j;
      integers[at] = Math.min(high[at]!, Math.max(low[at]!, roundHalfEven(w[j]! / scale[at]!)));
      const error = (w[j]! - scale[at]! * integers[at]!) / inverse[j * n + j]!;
      for (let k = j + 1; k < n; k++) w[k]! -= error * inverse[k * n + j]!;
      const pivot = inverse[j * n + j]!;
      const column = Float64Array.from({ length: n }, (_, k) => inverse[k * n + j]!);
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) inverse[a * n + b]! -= (column[a]! * column[b]!) / pivot;
    }
  }
  return integers;
}

/** Products one number at a time. */
const inLoops: Multiply = async (a, b, [m, k, n]) => {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) c[i * n + j]! += a[i * k + l]! * b[l * n + j]!;
  return c;
};

/** The integers that GPTQ finds for a problem of one group. */
async function found(problem: ReturnType<typeof randomProblem>, options: ColumnOptions = {}, block?: number) {
  const factor = await inverseFactor(problem.h, problem.columns, inLoops, options, block);
  return await gptq({ ...problem, rows: problem.outputs }, factor, roundHalfEven, inLoops, block);
}

test("equals the elimination that the Cholesky factor stands for, in blocks of any size", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const problem = { ...randomProblem(seed, 1, 3, 7), t: new Float64Array(21) };
    const wanted = slowGptq(problem, 0.01);
    for (const block of [undefined, 1, 2, 3, 6, 7])
      expect(await found(problem, { activationOrder: false }, block)).toEqual(wanted);
  }
});

test("the factor is that of the inverse, in blocks of any size", async () => {
  const { h, columns: n } = randomProblem(8, 1, 1, 9);
  for (const block of [undefined, 1, 2, 4, 8, 9]) {
    const { order, upper } = await inverseFactor(h, n, inLoops, { damping: 0.1 }, block);
    const damped = h.map((_, at) => h[order[Math.floor(at / n)]! * n + order[at % n]!]!);
    const trace = damped.reduce((sum, x, at) => (at % (n + 1) === 0 ? sum + x : sum), 0);
    for (let i = 0; i < n; i++) damped[i * n + i]! += (0.1 * trace) / n;
    const transposed = upper.map((_, at) => upper[(at % n) * n + Math.floor(at / n)]!);
    // The largest numbers are near 10; eleven digits are left of sixteen.
    multiply(damped, multiply(transposed, upper, n), n).forEach((x, at) => {
      expect(x).toBeCloseTo(at % (n + 1) === 0 ? 1 : 0, 9);
    });
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(upper[i * n + j]).toBe(0);
  }
});

test("blocks of the default size do not change what is found in one", async () => {
  const problem = randomProblem(9, 1, 4, 300);
  expect(await found(problem)).toEqual(await found(problem, {}, 300));
});

/** The problem with its columns in another order. */
function reordered(problem: ReturnType<typeof randomProblem>, order: readonly number[]) {
  const n = problem.columns;
  const rows = (m: Float64Array) => m.map((_, i) => m[i - (i % n) + order[i % n]!]!);
  const { weight, scale, low, high, t } = problem;
  const h = problem.h.map((_, i) => problem.h[order[Math.floor(i / n)]! * n + order[i % n]!]!);
  return { ...problem, weight: rows(weight), scale: rows(scale), low: rows(low), high: rows(high), t: rows(t), h };
}

test("columns of large second moments come first by default, and of equal ones the first", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const problem = { ...randomProblem(seed, 1, 3, 7), t: new Float64Array(21) };
    const diagonal = (j: number) => problem.h[j * 8]!;
    const order = [0, 1, 2, 3, 4, 5, 6].sort((a, b) => diagonal(b) - diagonal(a));
    const weight = await found(problem);
    expect(reordered({ ...problem, weight }, order).weight).toEqual(slowGptq(reordered(problem, order), 0.01));
    for (let j = 0; j < 7; j++) problem.h[j * 8] = 40;
    expect(await found(problem)).toEqual(slowGptq(problem, 0.01));
  }
});

test("a matrix that rounding left indefinite is damped tenfold until it is definite", async () => {
  // Eigenvalues 3 and −1: shares 0.01, 0.1 and 1 of the mean diagonal do not suffice, 10 does.
  const problem = randomProblem(2, 1, 200, 2);
  const indefinite = {
    ...problem,
    // A little finer than the problem's own: there the largest weight of a row is on the grid, and passes nothing on.
    scale: problem.scale.map((s) => 0.83 * s),
    h: Float64Array.of(1, -2, -2, 1),
    t: new Float64Array(400),
  };
  const inOrder = { activationOrder: false };
  const integers = await found(indefinite, inOrder);
  expect(integers).toEqual(slowGptq(indefinite, 10));
  // The search for damping can see the difference that each factor of ten makes.
  expect(integers).not.toEqual(slowGptq(indefinite, 100));
  // Without any damping it starts at a thousandth.
  const little = { ...indefinite, h: Float64Array.of(1, -1, -1, 1) };
  expect(await found(little, { ...inOrder, damping: 0 })).toEqual(slowGptq(little, 1e-3));
  // What no damping helps ends, too.
  const hopeless = { ...indefinite, h: Float64Array.of(0, 5, 5, 0) };
  expect(await found(hopeless)).toHaveLength(400);
});

test("the unit of the inputs does not matter", async () => {
  const problem = randomProblem(4, 1, 3, 6);
  const usual = await found(problem);
  for (const factor of [2 ** -30, 2 ** 30]) {
    const scaled = { ...problem, h: problem.h.map((x) => x * factor), t: problem.t.map((x) => x * factor) };
    expect(await found(scaled)).toEqual(usual);
  }
});

test("a weight without a scale is zero, and the others make up for it", async () => {
  const problem = { ...randomProblem(6, 1, 2, 5), t: new Float64Array(10) };
  problem.scale[2] = 0;
  const integers = await found(problem);
  expect(integers[2]).toBe(0);
  const sum = (integers: Float64Array) => objective(problem, integers)[0]!;
  const others = nearest({ ...problem, scale: problem.scale.map((s) => s || 1) }, roundHalfEven);
  others[2] = 0;
  expect(sum(integers)).toBeLessThanOrEqual(sum(others));
});

test("is better than nearest rounding on average, with the cross term too", async () => {
  let [ours, plain] = [0, 0];
  for (let seed = 0; seed < 60; seed++) {
    const problem = randomProblem(seed, 1, 4, 10);
    const sum = (integers: Float64Array) => objective(problem, integers).reduce((a, b) => a + b, 0);
    ours += sum(await found(problem));
    plain += sum(nearest(problem, roundHalfEven));
  }
  expect(ours).toBeLessThan(0.8 * plain);
});

test("inputs of a quantized prefix move each weight towards what they lost: the best integers where columns are independent", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const problem = randomProblem(seed, 1, 3, 6);
    const { columns, weight, scale, low, high, h, t } = problem;
    for (let i = 0; i < h.length; i++) if (i % (columns + 1) !== 0) h[i] = 0;
    // Up to a few steps of the grid: the sign matters everywhere.
    for (let i = 0; i < t.length; i++) t[i] = 30 * t[i]! * scale[i]! * h[(i % columns) * (columns + 1)]!;
    (await found(problem, { damping: 0 })).forEach((q, i) => {
      const errorOf = (integer: number) => {
        const d = scale[i]! * integer - weight[i]!;
        return d * (h[(i % columns) * (columns + 1)]! * d + 2 * t[i]!);
      };
      for (let other = low[i]!; other <= high[i]!; other++)
        expect(errorOf(q)).toBeLessThanOrEqual(errorOf(other) + 1e-12);
    });
  }
});

test("the noise that is left of constant inputs gives finite integers", async () => {
  const problem = randomProblem(3, 1, 2, 6);
  const noise = problem.h.map((_, i) => 1e-13 * Math.sin(1 + (i % 6) * Math.floor(i / 6)));
  expect((await found({ ...problem, h: noise })).every(Number.isFinite)).toBe(true);
});

test("a column without signal is rounded for itself: noise in its cross term counts as it is", async () => {
  const problem = randomProblem(7, 1, 3, 5);
  const { columns: n, weight, scale, low, high, h, t } = problem;
  for (let j = 0; j < n; j++) h[2 * n + j] = h[j * n + 2] = 0;
  for (let row = 0; row < 3; row++) t[row * n + 2] = 0.7 * scale[row * n]!;
  const integers = await found(problem);
  for (let at = 2; at < weight.length; at += n) {
    const wanted = roundHalfEven((weight[at]! - t[at]!) / scale[at]!);
    expect(integers[at]).toBe(Math.min(high[at]!, Math.max(low[at]!, wanted)));
  }
});

test("columns without signal do not break the factors", async () => {
  const problem = { ...randomProblem(1, 1, 2, 5) };
  problem.h.fill(0);
  expect((await found(problem)).every(Number.isFinite)).toBe(true);
});
