/**
 * Gradients of whole models against PyTorch (tools/model_gradients.py). Masks of ReLUs flip where rounding differs, so no
 * fixed tolerance holds: a gradient may be three times as far from PyTorch's as that is from itself when every input changes
 * by 1e-6 of itself, up or down (the largest of four draws). Where no mask flips, nets of ReLUs have gradients that do not depend on
 * their inputs at all; then the same 1e-6 of the gradient's norm counts as PyTorch's own distance.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradientModel, seedPrefix } from "../src/autodiff/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { cloneModel, type Model } from "../src/ir/inner.ts";
import { foldConstants, runPasses, upgradeTo } from "../src/passes/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { sizeOf, Tensor } from "../src/tensor/inner.ts";
import { fixture, missing } from "./fixtures.ts";

interface Golden {
  readonly file: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Norm of the gradient, how far PyTorch moves from itself, and projections on vectors of ±1. */
  readonly parameters: Readonly<
    Record<string, { readonly norm: number; readonly self: number; readonly on: readonly number[] }>
  >;
}

const rounding = 1e-6;

const goldens = JSON.parse(readFileSync(new URL("./golden-model-gradients.json", import.meta.url), "utf8")) as Record<
  string,
  Golden
>;

describe("whole models", () => {
  for (const [name, golden] of Object.entries(goldens)) {
    const absent = missing(golden.file);
    test.skipIf(absent)(absent ? `${name}: ${absent}` : name, { timeout: 60_000 }, async () => {
      const far = await distances(golden);
      expect(far.length).toBe(Object.keys(golden.parameters).length);
      expect(far.filter(({ ratio }) => !(ratio <= 3))).toEqual([]);
    });
  }
});

/** How far each gradient is from PyTorch's, in steps of PyTorch's own distance. */
async function distances(golden: Golden) {
  const runtime = await openRuntime();
  const names = Object.keys(golden.parameters);
  const model = await prepared(golden.file, names);
  const inputs = Object.fromEntries(
    Object.entries(golden.inputs).map(([name, shape], i) => [name, inputOf(model, name, shape, 1 + i)]),
  );
  const types = await traceShapes(model, runtime, inputs);
  const constants = model.graph.valuesByName();
  const weights = Object.fromEntries(names.map((name) => [name, constants.get(name)!.initializer!]));
  const seeds = Object.fromEntries(
    model.graph.outputs.map(({ name }, i) => [
      `${seedPrefix}${name}`,
      uniform(types.get(name)!.shape as number[], 100 + i),
    ]),
  );
  const wanted = names.map((name) => `gradient_${name}`);
  await using session = await runtime.open(gradientModel(model, names, { types }));
  const found = await session.run({ ...inputs, ...weights, ...seeds }, wanted);
  return names.map((parameter) => {
    const { norm, self, on } = golden.parameters[parameter]!;
    const differences = projections(found[`gradient_${parameter}`]!.floats(), on.length).map((p, j) => p - on[j]!);
    const distance = Math.sqrt(differences.reduce((sum, d) => sum + d * d, 0) / on.length);
    return { parameter, ratio: distance / Math.max(self, rounding * norm) };
  });
}

/** Computed shapes and pads folded, unless that would fold one of the weights into another constant. */
async function prepared(file: string, weights: readonly string[]): Promise<Model> {
  const model = readModelFile(fixture(file));
  await runPasses(model, [upgradeTo()]);
  const folded = cloneModel(model);
  await runPasses(folded, [foldConstants(await openRuntime())]);
  const left = folded.graph.valuesByName();
  return weights.every((name) => left.get(name)?.useCount) ? folded : model;
}

/** 32 bits of a hash for each place, as in tools/model_gradients.py. */
function hashed(count: number, salt: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => {
    let h = Math.imul(i + 1 + salt * 7919, 2654435761);
    h ^= h >>> 15;
    h = Math.imul(h, 2246822519);
    return h ^ (h >>> 13);
  });
}

function uniform(shape: readonly number[], salt: number): Tensor {
  return Tensor.float32(
    shape,
    Float32Array.from(hashed(sizeOf(shape), salt), (h) => (h >>> 8) / 2 ** 23 - 1),
  );
}

function inputOf(model: Model, name: string, shape: readonly number[], salt: number): Tensor {
  const type = model.graph.inputs.find((input) => input.name === name)?.type;
  if (type?.kind === "tensor" && type.dtype === "float32") return uniform(shape, salt);
  return Tensor.int64(
    shape,
    Array.from(hashed(sizeOf(shape), salt), (h) => h % 512),
  );
}

function projections(values: Float32Array, count: number): number[] {
  const sums = new Array<number>(count).fill(0);
  hashed(values.length, 0).forEach((bits, i) => {
    for (let j = 0; j < count; j++) sums[j]! += (bits >>> j) & 1 ? values[i]! : -values[i]!;
  });
  return sums;
}
