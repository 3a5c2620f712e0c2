/**
 * The conformance suite of gradients: a model in ONNX text against central differences of itself, in ONNX Runtime.
 *
 * A difference quotient of step h of a float32 function f, weighed by u, is off by about h² · f‴ / 6 and by ε · Σ|u · f| / h
 * with ε = 6e-8. Two steps h and h / 2 tell the first part, which is then taken out (Richardson); what remains of both is
 * the tolerance, and a thousandth of the largest gradient for the forward pass's own rounding.
 */
import { expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { openRuntime, type Session } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { traceTypes } from "./body-types.ts";
import { type DifferentiateOptions, gradientModel, seedPrefix } from "./differentiate.ts";

export interface GradientCase {
  /** A graph in ONNX text; opset 21, com.microsoft 1. */
  readonly text: string;
  /** Inputs or constants whose gradients are checked. Default: all inputs of float32. */
  readonly wrt?: readonly string[];
  /** Inputs that must be special: integers, values away from a kink. All others are normally distributed. */
  readonly feeds?: Readonly<Record<string, Tensor | ((random: Random, index: number) => number)>>;
  /** Outputs that are seeded. Default: all of float32. */
  readonly outputs?: readonly string[];
  readonly rules?: DifferentiateOptions["rules"];
  readonly opset?: number;
  readonly seed?: number;
  /** Step of the differences. Default 1e-2: inputs are of size one. */
  readonly step?: number;
}

/** Normally distributed, but at least 0.1 from each kink. */
export const away =
  (...kinks: readonly number[]) =>
  (random: Random): number => {
    for (;;) {
      const x = random.normal();
      if (kinks.every((kink) => Math.abs(x - kink) > 0.1)) return x;
    }
  };

/** One test per case. */
export function gradientSuite(cases: Readonly<Record<string, GradientCase>>): void {
  for (const [name, one] of Object.entries(cases)) test(name, () => expectGradients(one));
}

/** Expects the gradients of a model to agree with central differences. */
export async function expectGradients(one: GradientCase): Promise<void> {
  const { seed = 1, step = 1e-2 } = one;
  const random = new Random(seed);
  const opsets = `<ir_version: 10, opset_import: ["" : ${one.opset ?? 21}, "com.microsoft" : 1]>`;
  const model = parseModel(`${opsets}\n${one.text}`, { seed });
  const feeds = feedsOf(model, one, random);
  const runtime = await openRuntime();
  const types = await traceTypes(model, runtime, feeds);
  const isFloat = (name: string) => types.get(name)?.dtype === "float32";
  const wrt = one.wrt ?? Object.keys(feeds).filter(isFloat);
  const outputs = one.outputs ?? model.graph.outputs.map((value) => value.name).filter(isFloat);
  const built = gradientModel(model, wrt, { types, outputs, ...(one.rules ? { rules: one.rules } : {}) });
  const constants = model.graph.valuesByName();
  const given = Object.fromEntries(wrt.map((name) => [name, feeds[name] ?? constants.get(name)!.initializer!]));
  await using session = await runtime.open(built, { optimization: "off" });
  const weights = Object.fromEntries(
    outputs.map((name) => [name, normal(types.get(name)!.shape as number[], random.fork(`weight ${name}`))]),
  );
  const seeds = Object.fromEntries(outputs.map((name) => [`${seedPrefix}${name}`, weights[name]!]));
  const all: Feeds = { ...feeds, ...given, ...seeds };
  const gradients = await session.run(
    all,
    wrt.map((name) => `gradient_${name}`),
  );
  const weighed = (changed: Feeds) => weighedOutputs(session, { ...all, ...changed }, weights);
  for (const name of wrt) {
    expect(gradients[`gradient_${name}`]!.shape, `of the gradient of ${name}`).toEqual(given[name]!.shape);
    const gradient = gradients[`gradient_${name}`]!.floats();
    const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 1e-3);
    for (const direction of directionsOf(gradient, random.fork(name))) {
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const at = async (h: number) => {
        const up = await weighed({ [name]: moved(given[name]!, direction, h) });
        const down = await weighed({ [name]: moved(given[name]!, direction, -h) });
        return { slope: (up.sum - down.sum) / (2 * h), noise: (6e-8 * (up.size + down.size)) / (2 * h) };
      };
      const [coarse, fine] = [await at(step), await at(step / 2)];
      const found = (4 * fine.slope - coarse.slope) / 3;
      const tolerance = 4 * fine.noise + 0.1 * Math.abs(fine.slope - coarse.slope) + 1e-3 * largest;
      expect(
        Math.abs(found - expected),
        `${name}: ${expected} by the rule, ${found} by differences`,
      ).toBeLessThanOrEqual(tolerance);
      // A tolerance that swallows the gradient would prove nothing.
      expect(tolerance, `the tolerance for ${name} beside gradients up to ${largest}`).toBeLessThan(
        0.2 * largest + 2e-3,
      );
    }
  }
}

function feedsOf(model: Model, one: GradientCase, random: Random): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, initializer } of model.graph.inputs) {
    if (initializer) continue;
    const special = one.feeds?.[name];
    if (special instanceof Tensor) {
      feeds[name] = special;
      continue;
    }
    const shape = (type?.kind === "tensor" ? type.shape : null) as number[];
    const stream = random.fork(name);
    const tensor = normal(shape, stream);
    feeds[name] = special
      ? Tensor.float32(
          shape,
          tensor.floats().map((_, i) => special(stream, i)),
        )
      : tensor;
  }
  return feeds;
}

function normal(shape: readonly number[], random: Random): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return Tensor.float32(
    shape,
    Float32Array.from({ length: size }, () => random.normal()),
  );
}

/** Every coordinate of small values; of large ones the gradient's own direction and some at random, of length one. */
function directionsOf(gradient: Float32Array, random: Random): Float64Array[] {
  const { length } = gradient;
  if (length <= 24) return Array.from({ length }, (_, i) => Float64Array.from({ length }, (_, j) => (i === j ? 1 : 0)));
  const unit = (values: Float64Array) => {
    const norm = Math.hypot(...values) || 1;
    return values.map((value) => value / norm);
  };
  const some = Array.from({ length: 6 }, () => unit(Float64Array.from(gradient, () => random.normal())));
  return [unit(Float64Array.from(gradient)), ...some];
}

function moved(tensor: Tensor, direction: Float64Array, by: number): Tensor {
  return Tensor.float32(
    tensor.shape,
    tensor.floats().map((value, i) => value + by * direction[i]!),
  );
}

/** Σ u · f in float64, and the sum of its magnitudes. */
async function weighedOutputs(session: Session, feeds: Feeds, weights: Feeds): Promise<{ sum: number; size: number }> {
  const results = await session.run(feeds, Object.keys(weights));
  let [sum, size] = [0, 0];
  for (const [name, weight] of Object.entries(weights)) {
    const u = weight.floats();
    results[name]!.floats().forEach((value, i) => {
      sum += u[i]! * value;
      size += Math.abs(u[i]! * value);
    });
  }
  return { sum, size };
}
