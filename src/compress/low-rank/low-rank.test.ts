/** Layers of low rank against the layer that they replace in ONNX Runtime, AIMET's published ranks and costs, and errors that are measured. */
import { describe, expect, test } from "vitest";
import { mnistNet } from "../../../test/mnist-net.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { macsOf } from "../../analysis/inner.ts";
import { isRefused, Random } from "../../base/inner.ts";
import { inferTypes, type MatrixLayer, matrixLayers, matrixOf } from "../../facts/inner.ts";
import { check, cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { damped } from "../dense/solve.ts";
import { type LowRankScheme, lowRankSchemes } from "../scheme-names.ts";
import { type Factors, lowRank, type OnMoments } from "./factors.ts";
import { type LowRankForm, lowRankCosts, lowRankForm, rankFor } from "./form.ts";
import { positionsOf } from "./positions.ts";
import { putFactors } from "./put.ts";

function formOf(layer: MatrixLayer, scheme: LowRankScheme): LowRankForm {
  const form = lowRankForm(layer, scheme);
  if (isRefused(form)) throw new Error(form.refused);
  return form;
}

function netOf(constants: string, body: string): Model {
  return parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[2,4,9,10] x, float[2,4,12] s, float[2,4,5,6,5] v, float[3,7] r, float[2,3,7] t) => (y)
    <${constants}> { ${body} }`,
    { seed: 11 },
  );
}

/** The model with its one layer at a rank. */
function atRank(model: Model, scheme: LowRankScheme, rank: number | "full", moments: OnMoments | null = null): Model {
  const copy = cloneModel(model);
  const [layer] = matrixLayers(copy.graph);
  const form = formOf(layer!, scheme);
  const solution = lowRank(form, Float64Array.from(matrixOf(layer!.matrix, layer!.weight.tensor)), moments);
  const chosen = rank === "full" ? form.maxRank : rank;
  putFactors(layer!, form, chosen, solution.factors(chosen));
  check(copy, "after putting the factors");
  return copy;
}

/** Second moments of correlated inputs, and unequal outputs. */
function someMoments(columns: number, outputs: number, seed = 3): OnMoments {
  const random = new Random(seed);
  const rows = 3 * columns;
  const mix = Float64Array.from({ length: columns * columns }, () => random.normal() / Math.sqrt(columns));
  const h = new Float64Array(columns * columns);
  for (let n = 0; n < rows; n++) {
    const z = Float64Array.from({ length: columns }, (_, i) => random.normal() / (1 + i / 4));
    const x = z.map((_, i) => z.reduce((sum, value, j) => sum + value * mix[i * columns + j]!, 0));
    for (let i = 0; i < columns; i++) for (let j = 0; j < columns; j++) h[i * columns + j]! += (x[i]! * x[j]!) / rows;
  }
  return { h, importance: Float64Array.from({ length: outputs }, () => random.uniform(0.2, 3)) };
}

const layers: Readonly<Record<string, readonly [constants: string, body: string]>> = {
  "Conv 3×3": ["float[6,4,3,3] w, float[6] b", "y = Conv <pads = [1, 1, 1, 1]> (x, w, b)"],
  "Conv, strides, uneven pads and kernel": [
    "float[3,4,3,5] w, float[3] b",
    "y = Conv <pads = [1, 2, 0, 1], strides = [2, 3]> (x, w, b)",
  ],
  "dilated Conv without bias": ["float[8,4,3,3] w", "y = Conv <pads = [2, 1, 2, 1], dilations = [2, 1]> (x, w)"],
  "Conv with auto_pad": [
    "float[5,4,4,3] w, float[5] b",
    'y = Conv <auto_pad = "SAME_LOWER", strides = [2, 1]> (x, w, b)',
  ],
  "Conv 1×1": ["float[6,4,1,1] w, float[6] b", "y = Conv(x, w, b)"],
  "Conv 1D": ["float[6,4,5] w, float[6] b", "y = Conv <pads = [2, 2], strides = [2]> (s, w, b)"],
  "Conv 3D": ["float[3,4,2,3,2] w, float[3] b", "y = Conv <pads = [1, 0, 1, 0, 1, 0]> (v, w, b)"],
  Gemm: ["float[7,5] w, float[5] b", "y = Gemm(r, w, b)"],
  "Gemm with transB and beta": ["float[9,7] w, float[9] b", "y = Gemm <transB = 1, beta = 0.5> (r, w, b)"],
  MatMul: ["float[7,5] w", "y = MatMul(t, w)"],
  "MatMul with Add": ["float[7,9] w, float[9] b", "p = MatMul(t, w) y = Add(p, b)"],
};

describe("full rank is the layer itself", () => {
  test.each(
    Object.entries(layers).flatMap(([name, net]) => lowRankSchemes.map((scheme) => [name, scheme, net] as const)),
  )("%s, %s", async (_, scheme, [constants, body]) => {
    const model = netOf(constants, body);
    const [layer] = matrixLayers(model.graph);
    const moments = someMoments(layer!.matrix.columns, layer!.axes.outputs);
    // Float32 sums in another order; values are of size one.
    await expectSameOutputs(model, atRank(model, scheme, "full"), { ofRange: 1e-5 });
    // The factors that least squares finds are as exact as the moments are well conditioned.
    const damping = { ...moments, h: damped(moments.h, layer!.matrix.columns, 1e-3) };
    await expectSameOutputs(model, atRank(model, scheme, "full", damping), { ofRange: 1e-5 });
  });
});

describe("AIMET's ranks and costs of its MNIST network", () => {
  const model = mnistNet();
  const shapes = inferTypes(model);
  const found = (scheme: LowRankScheme) =>
    matrixLayers(model.graph).map((layer) => {
      const form = lowRankForm(layer, scheme);
      if (isRefused(form)) return undefined;
      return { layer, form, costs: lowRankCosts(form, positionsOf(layer, shapes)!) };
    });

  test("spatial SVD at ratio 0.5", () => {
    const all = found("spatial-svd");
    const ranks = all.map((one) => rankFor(one!.form, one!.costs, 0.5));
    expect(ranks).toEqual([2, 53, 385, 4]);
    const macs = all.map((one, i) => one!.costs.at(ranks[i]!).macs);
    expect(macs[0]! + macs[1]!).toBe(5244960);
    expect(macs.slice(2)).toEqual([3136 * 385 + 385 * 1024, 1024 * 4 + 4 * 10]);
    expect(all[1]!.form.maxRank).toBe(160);
  });

  test("weight SVD at ratio 0.5; a layer with one input channel has one rank, which AIMET keeps and costs more than the layer", () => {
    const all = found("weight-svd");
    expect(all[0]).toBeUndefined();
    const ranks = all.slice(1).map((one) => rankFor(one!.form, one!.costs, 0.5));
    expect(ranks).toEqual([15, 385, 4]);
    const macs = all.slice(1).reduce((sum, one, i) => sum + one!.costs.at(ranks[i]!).macs, 0);
    // AIMET's 7,031,800 has (1 + 32·25)·28² for its first layer.
    expect(macs + (1 + 32 * 25) * 28 ** 2).toBe(7031800);
    expect(all[1]!.form.maxRank).toBe(32);
  });

  test("a stride of 2, a multiplicity of 8 and 64, and a linear layer", () => {
    const strided = netOf("float[64,32,5,5] w", "y = Conv <pads = [2, 2, 2, 2], strides = [2, 2]> (x, w)");
    const [layer] = matrixLayers(strided.graph);
    const form = formOf(layer!, "spatial-svd");
    const costs = lowRankCosts(form, { input: [28, 28], output: [14, 14] });
    expect([costs.original.macs, rankFor(form, costs, 0.5), costs.at(40).macs]).toEqual([10035200, 40, 5017600]);
    expect([8, 64].map((multiple) => rankFor(form, costs, 0.51, "macs", multiple))).toEqual([40, 64]);
    const linear = netOf("float[128,256] w", "y = MatMul(r, w)");
    expect(formOf(matrixLayers(linear.graph)[0]!, "weight-svd").maxRank).toBe(128);
  });

  test.each(lowRankSchemes)("what %s says that it costs is what the graph costs", (scheme) => {
    for (const index of [0, 1, 2, 3]) {
      const one = found(scheme)[index];
      if (!one) continue;
      const rank = Math.ceil(one.form.maxRank / 3);
      const copy = cloneModel(model);
      const layer = matrixLayers(copy.graph)[index]!;
      const zeros = {
        first: new Float64Array(one.form.inputs * one.form.first * rank),
        second: new Float64Array(one.form.outputs * one.form.second * rank),
      };
      putFactors(layer, one.form, rank, zeros);
      const saved = macsOf(model, shapes)! - macsOf(copy, inferTypes(copy))!;
      expect(saved).toBe(one.costs.original.macs - one.costs.at(rank).macs);
    }
  });
});

/** Ŵ [outputs, columns] of the two layers, for a kernel with two axes, by plain sums. */
function composed(
  { inputs, outputs, kernel, isFirst, ...form }: LowRankForm,
  { first, second }: Factors,
  rank: number,
) {
  const [kh, kw] = [kernel[0]!, kernel[1]!];
  const weight = new Float64Array(outputs * inputs * kh * kw);
  for (let at = 0; at < weight.length; at++) {
    const [x, y] = [at % kw, Math.floor(at / kw) % kh];
    const [i, o] = [Math.floor(at / (kw * kh)) % inputs, Math.floor(at / (kw * kh * inputs))];
    const p = isFirst[0] ? (isFirst[1] ? y * kw + x : y) : 0;
    const q = isFirst[1] ? 0 : isFirst[0] ? x : y * kw + x;
    for (let k = 0; k < rank; k++)
      weight[at]! += first[(k * inputs + i) * form.first + p]! * second[(o * rank + k) * form.second + q]!;
  }
  return weight;
}

/** tr(D (W − Ŵ) H (W − Ŵ)ᵀ D), by plain sums. */
function measured(
  form: LowRankForm,
  weight: Float64Array,
  factors: Factors,
  rank: number,
  { h, importance }: OnMoments,
) {
  const columns = form.inputs * form.first * form.second;
  const other = composed(form, factors, rank);
  const difference = weight.map((w, i) => w - other[i]!);
  let sum = 0;
  for (let o = 0; o < form.outputs; o++)
    for (let a = 0; a < columns; a++)
      for (let b = 0; b < columns; b++)
        sum += importance[o]! * difference[o * columns + a]! * h[a * columns + b]! * difference[o * columns + b]!;
  return sum;
}

describe.each(lowRankSchemes)("what %s loses", (scheme) => {
  const model = netOf("float[10,4,3,3] w", "y = Conv(x, w)");
  const [layer] = matrixLayers(model.graph);
  const form = formOf(layer!, scheme);
  const weight = Float64Array.from(matrixOf(layer!.matrix, layer!.weight.tensor));
  const moments = someMoments(36, 10);
  const white: OnMoments = {
    h: Float64Array.from({ length: 36 * 36 }, (_, i) => (i % 37 === 0 ? 1 : 0)),
    importance: new Float64Array(10).fill(1),
  };

  test("is predicted at every rank, and falls", () => {
    for (const [given, seen] of [
      [moments, moments],
      [null, white],
    ] as const) {
      const solution = lowRank(form, weight, given);
      for (let rank = 1; rank <= form.maxRank; rank++) {
        expect(solution.loss[rank - 1]!).toBeCloseTo(measured(form, weight, solution.factors(rank), rank, seen), 9);
        if (rank > 1) expect(solution.loss[rank - 1]!).toBeLessThanOrEqual(solution.loss[rank - 2]! + 1e-12);
      }
      expect(solution.loss.at(-1)!).toBeCloseTo(0, 9);
      expect(solution.all).toBeGreaterThan(solution.loss[0]!);
    }
  });

  test("is less on moments than with the plain decomposition, at every rank but the last", () => {
    const [plain, aware] = [lowRank(form, weight, null), lowRank(form, weight, moments)];
    for (let rank = 1; rank < form.maxRank; rank++)
      expect(aware.loss[rank - 1]!).toBeLessThan(measured(form, weight, plain.factors(rank), rank, moments));
  });

  test("is nothing where the weight has that rank", () => {
    const product = composed(form, lowRank(form, weight, null).factors(2), 2);
    expect(lowRank(form, product, null).loss[0]!).toBeGreaterThan(0.1);
    expect(lowRank(form, product, moments).loss[1]!).toBeCloseTo(0, 9);
    expect(lowRank(form, product, null).loss[1]!).toBeCloseTo(0, 9);
  });
});

test("layers that are not split say why", () => {
  const reason = (constants: string, body: string) => {
    const form = lowRankForm(matrixLayers(netOf(constants, body).graph)[0]!, "spatial-svd");
    return isRefused(form) ? form.refused : "";
  };
  expect(reason("float[4,2,3,3] w", "y = Conv <group = 2> (x, w)")).toBe("it has groups");
  expect(reason("float[4,3,2,2] w", "y = ConvTranspose(x, w)")).toBe("a ConvTranspose is not split");
  expect(reason("float[7,7] w", "a = MatMul(r, w) y = MatMul(a, w)")).toBe("2 nodes share its weight");
  expect(reason("float[1,4,1,3] w", "y = Conv <strides = [1, 1]> (x, w)")).toBe("");
  expect(reason("float[1,4,3,1] w", "y = Conv <strides = [1, 1]> (x, w)")).toBe("it has a single rank");
});
