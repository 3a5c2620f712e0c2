/** Rules over random shapes and attributes, against central differences. */
import fc from "fast-check";
import { describe, test } from "vitest";
import type { Random } from "../../base/inner.ts";
import { expectGradients } from "../gradient-suite.ts";

const runs = { numRuns: 5, seed: 1 };
const length = fc.integer({ min: 1, max: 3 });
const shape = fc.array(length, { maxLength: 4 });
const solid = fc.array(length, { minLength: 1, maxLength: 4 });

/** A shape and some that broadcast to it: axes are dropped in front and lengths become one. */
const broadcastable = (count: number) =>
  fc
    .tuple(shape, fc.array(fc.tuple(fc.nat(4), fc.nat(15)), { minLength: count, maxLength: count }))
    .map(([whole, cuts]) =>
      cuts.map(([dropped, ones]) =>
        whole.slice(Math.min(dropped, whole.length)).map((one, axis) => ((ones >> axis) & 1 ? 1 : one)),
      ),
    );

/** A shape and one of its axes. */
const withAxis = solid.chain((lengths) => fc.tuple(fc.constant(lengths), fc.nat(lengths.length - 1)));

const type = (lengths: readonly number[]) => (lengths.length === 0 ? "float" : `float[${lengths}]`);
const ints = (name: string, values: readonly number[]) => `int64[${values.length}] ${name} = {${values}}`;
const unary = (lengths: readonly number[], constants: string, call: string) =>
  expectGradients({ text: `f (${type(lengths)} x) => (float y) ${constants && `<${constants}>`} { y = ${call} }` });

describe("operands that broadcast", () => {
  const positive = (random: Random) => random.uniform(0.5, 1.5);
  /** Even tenths and odd ones, so that no two operands are closer than a tenth. */
  const tenths = (odd: number) => (random: Random) => (2 * random.integer(15) + odd - 15) / 10;
  test.each([
    ["Add", {}],
    ["Sub", {}],
    ["Mul", {}],
    ["Div", { b: positive }],
    ["Pow", { a: positive }],
    ["Max", { a: tenths(0), b: tenths(1) }],
    ["Min", { a: tenths(0), b: tenths(1) }],
  ] as const)("%s", async (op, feeds) => {
    const property = fc.asyncProperty(broadcastable(2), async ([a, c]) => {
      await expectGradients({ text: `f (${type(a!)} a, ${type(c!)} b) => (float y) { y = ${op}(a, b) }`, feeds });
    });
    await fc.assert(property, runs);
  });
  test.each(["Sum", "Mean"])("%s", async (op) => {
    const property = fc.asyncProperty(broadcastable(3), async ([a, c, d]) => {
      const inputs = `${type(a!)} a, ${type(c!)} b, ${type(d!)} c`;
      await expectGradients({ text: `f (${inputs}) => (float y) { y = ${op}(a, b, c) }` });
    });
    await fc.assert(property, runs);
  });
  test("MatMul", async () => {
    const property = fc.asyncProperty(broadcastable(2), fc.tuple(length, length, length), async ([a, c], [m, k, n]) => {
      const inputs = `${type([...a!, m, k])} a, ${type([...c!, k, n])} b`;
      await expectGradients({ text: `f (${inputs}) => (float y) { y = MatMul(a, b) }` });
    });
    await fc.assert(property, runs);
  });
  test("Expand", async () => {
    const property = fc.asyncProperty(broadcastable(2), async ([a, c]) => {
      await unary(a!, ints("s", c!), "Expand(x, s)");
    });
    await fc.assert(property, runs);
  });
});

describe("shapes and places", () => {
  test.each(["ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceLogSumExp"])("%s", async (op) => {
    const property = fc.asyncProperty(solid, fc.nat(15), fc.nat(1), async (lengths, chosen, kept) => {
      const axes = lengths.map((_, axis) => axis).filter((axis) => (chosen >> axis) & 1);
      await unary(
        lengths,
        axes.length > 0 ? ints("a", axes) : "",
        `${op} <keepdims = ${kept}> (x${axes.length > 0 ? ", a" : ""})`,
      );
    });
    await fc.assert(property, runs);
  });
  test.each(["Softmax", "LogSoftmax"])("%s", async (op) => {
    const property = fc.asyncProperty(withAxis, ([lengths, axis]) => unary(lengths, "", `${op} <axis = ${axis}> (x)`));
    await fc.assert(property, runs);
  });
  test("Transpose", async () => {
    const order = solid.chain((lengths) =>
      fc.tuple(fc.constant(lengths), fc.shuffledSubarray([...lengths.keys()], { minLength: lengths.length })),
    );
    const property = fc.asyncProperty(order, ([lengths, perm]) =>
      unary(lengths, "", `Transpose <perm = [${perm}]> (x)`),
    );
    await fc.assert(property, runs);
  });
  test("Slice", async () => {
    const bounds = fc.integer({ min: -6, max: 6 });
    const step = fc.constantFrom(-3, -2, -1, 1, 2, 3);
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), bounds, step), { minLength: 1, maxLength: 3 }),
      async (axes) => {
        // To the very end in the direction of the step, so that something is read mostly.
        const ends = axes.map(([, , by]) => (by > 0 ? 9 : -9));
        const lists = [
          ints(
            "s",
            axes.map(([, start]) => start),
          ),
          ints("e", ends),
          ints("a", [...axes.keys()]),
          ints(
            "t",
            axes.map(([, , by]) => by),
          ),
        ];
        await unary(
          axes.map(([n]) => n),
          lists.join(", "),
          "Slice(x, s, e, a, t)",
        );
      },
    );
    await fc.assert(property, { ...runs, numRuns: 10 });
  });
  test("Pad", async () => {
    const property = fc.asyncProperty(
      fc.array(
        fc.tuple(fc.integer({ min: 3, max: 5 }), fc.integer({ min: -1, max: 2 }), fc.integer({ min: -1, max: 2 })),
        { minLength: 1, maxLength: 3 },
      ),
      fc.constantFrom("constant", "reflect", "edge", "wrap"),
      async (axes, mode) => {
        const only = (pad: number) => (mode === "constant" ? pad : Math.max(pad, 0));
        const pads = [...axes.map(([, begin]) => only(begin)), ...axes.map(([, , end]) => only(end))];
        await unary(
          axes.map(([n]) => n),
          ints("p", pads),
          `Pad <mode = "${mode}"> (x, p)`,
        );
      },
    );
    await fc.assert(property, { ...runs, numRuns: 8 });
  });
  test("Concat", async () => {
    const property = fc.asyncProperty(
      withAxis,
      fc.array(length, { minLength: 1, maxLength: 3 }),
      async ([lengths, axis], parts) => {
        const inputs = parts.map((part, i) => `${type(lengths.with(axis, part))} x${i}`);
        const names = parts.map((_, i) => `x${i}`);
        await expectGradients({ text: `f (${inputs}) => (float y) { y = Concat <axis = ${axis}> (${names}) }` });
      },
    );
    await fc.assert(property, runs);
  });
  test("Gather", async () => {
    const property = fc.asyncProperty(
      withAxis,
      fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
      ([lengths, axis], chosen) =>
        unary(
          lengths,
          ints(
            "i",
            chosen.map((at) => at % lengths[axis]!),
          ),
          `Gather <axis = ${axis}> (x, i)`,
        ),
    );
    await fc.assert(property, runs);
  });
});

test("Einsum", async () => {
  const letters = fc.string({ unit: fc.constantFrom(..."abcd"), minLength: 1, maxLength: 3 });
  const lengths = { a: 2, b: 3, c: 1, d: 2 } as const;
  const property = fc.asyncProperty(
    fc.array(letters, { minLength: 1, maxLength: 3 }),
    fc.nat(15),
    async (terms, chosen) => {
      const shared = [..."abcd"].filter((letter, i) => terms.join("").includes(letter) && (chosen >> i) & 1);
      const inputs = terms.map((term, i) => `float[${[...term].map((letter) => lengths[letter as "a"])}] x${i}`);
      const equation = `${terms.join(",")}->${shared.join("")}`;
      const names = terms.map((_, i) => `x${i}`);
      await expectGradients({
        text: `f (${inputs}) => (float y) { y = Einsum <equation = "${equation}"> (${names}) }`,
      });
    },
  );
  await fc.assert(property, { ...runs, numRuns: 12 });
});
