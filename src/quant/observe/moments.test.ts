import { expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { type MatrixLayer, matrixLayers, matrixOf, weightOf } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, type Pair } from "../../runtime/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { aroundZero, MomentGatherer } from "./moments.ts";
import { patchGeometry } from "./patches.ts";

const runtime = await openRuntime();

/** One operator with a seeded weight and bias; x is its input. */
const layers: Readonly<Record<string, { text: string; input: readonly number[] }>> = {
  "Conv with pads and strides": {
    text: "(float[2,4,7,6] x) => (float[N,M,P,Q] y) <float[6,4,3,2] w, float[6] b> { y = Conv<pads=[1,0,2,1], strides=[2,1]>(x, w, b) }",
    input: [2, 4, 7, 6],
  },
  "grouped Conv with dilations": {
    text: "(float[2,4,9,9] x) => (float[N,M,P,Q] y) <float[6,2,3,3] w, float[6] b> { y = Conv<group=2, dilations=[2,1], pads=[2,1,2,1]>(x, w, b) }",
    input: [2, 4, 9, 9],
  },
  "depthwise Conv, SAME_UPPER": {
    text: 'g (float[2,4,8,8] x) => (float[N,M,P,Q] y) <float[4,1,3,3] w, float[4] b> { y = Conv<group=4, auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b) }',
    input: [2, 4, 8, 8],
  },
  "Conv 1-D": {
    text: "(float[3,4,11] x) => (float[N,M,P] y) <float[5,4,3] w, float[5] b> { y = Conv<pads=[1,1]>(x, w, b) }",
    input: [3, 4, 11],
  },
  "Conv 3-D": {
    text: "(float[2,2,4,4,4] x) => (float[N,M,P,Q,R] y) <float[3,2,2,2,2] w, float[3] b> { y = Conv(x, w, b) }",
    input: [2, 2, 4, 4, 4],
  },
  ConvTranspose: {
    text: "(float[2,4,5,5] x) => (float[N,M,P,Q] y) <float[4,3,3,3] w, float[3] b> { y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>(x, w, b) }",
    input: [2, 4, 5, 5],
  },
  "grouped ConvTranspose": {
    text: "(float[2,4,5,5] x) => (float[N,M,P,Q] y) <float[4,3,2,2] w, float[6] b> { y = ConvTranspose<strides=[2,2], group=2>(x, w, b) }",
    input: [2, 4, 5, 5],
  },
  Gemm: { text: "(float[6,5] x) => (float[N,M] y) <float[5,4] w, float[4] b> { y = Gemm(x, w, b) }", input: [6, 5] },
  "Gemm with transB": {
    text: "(float[6,5] x) => (float[N,M] y) <float[4,5] w, float[4] b> { y = Gemm<transB=1>(x, w, b) }",
    input: [6, 5],
  },
  MatMul: { text: "(float[2,3,5] x) => (float[N,M,P] y) <float[5,4] w> { y = MatMul(x, w) }", input: [2, 3, 5] },
};

function modelOf(text: string) {
  return parseModel(text.startsWith("g ") ? text : `g ${text}`, { seed: 1 });
}

function normals(shape: readonly number[], seed: number): Tensor {
  const random = new Random(seed);
  return Tensor.float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

/** All patches of all groups, position by position. */
function patchesOf(layer: MatrixLayer, x: Tensor): { rows: Float32Array; count: number } {
  const { groups, columns } = layer.matrix;
  const geometry = patchGeometry(layer, x.shape);
  const count = geometry.samples * geometry.positions;
  const rows = new Float32Array(groups * count * columns);
  for (let s = 0; s < geometry.samples; s++) {
    for (let p = 0; p < geometry.positions; p++) {
      geometry.copy(x.floats(), s, p, rows, (s * geometry.positions + p) * columns, count * columns);
    }
  }
  return { rows, count };
}

for (const [name, { text, input }] of Object.entries(layers)) {
  test(`${name}: matrix times patches plus bias is what the runtime computes`, async () => {
    const model = modelOf(text);
    const [layer] = matrixLayers(model.graph);
    const {
      node,
      matrix: { groups, outputs, columns },
    } = layer!;
    const x = normals(input, 2);
    await using session = await runtime.open(model);
    const y = (await session.run({ x })).y!;
    const weight = matrixOf(layer!.matrix, layer!.weight.tensor);
    const bias = node.input(2)?.initializer?.floats() ?? new Float32Array(groups * outputs);
    const { rows, count } = patchesOf(layer!, x);
    const geometry = patchGeometry(layer!, x.shape);
    const byRow = node.op === "Gemm" || node.op === "MatMul";
    for (let row = 0; row < groups * outputs; row++) {
      const group = Math.floor(row / outputs);
      for (let r = 0; r < count; r++) {
        let sum = bias[row]!;
        for (let k = 0; k < columns; k++) sum += weight[row * columns + k]! * rows[(group * count + r) * columns + k]!;
        const [sample, position] = [Math.floor(r / geometry.positions), r % geometry.positions];
        const at = byRow ? r * outputs + row : (sample * groups * outputs + row) * geometry.positions + position;
        expect(y.floats()[at]).toBeCloseTo(sum, 4 /* float32 sums of up to 36 products */);
      }
    }
    expect(weightOf(layer!.matrix, layer!.weight.tensor, weight).floats()).toEqual(layer!.weight.tensor.floats());
  });
}

test("moments equal float64 ones, and the objective on them the one on activations", async () => {
  const model = modelOf(layers["grouped Conv with dilations"]!.text);
  const layer = matrixLayers(model.graph)[0]!;
  const { groups, outputs, columns } = layer.matrix;
  const x = normals([2, 4, 9, 9], 3);
  const noise = normals([2, 4, 9, 9], 4).floats();
  const xq = Tensor.float32(
    x.shape,
    x.floats().map((v, i) => v + 0.1 * noise[i]! + 0.3),
  );
  async function* pairs(): AsyncIterable<Pair> {
    yield { first: 0, size: 2, float: x, quantized: xq };
  }
  await using gatherer = await MomentGatherer.open(runtime, 1);
  const moments = await gatherer.gather(layer, pairs(), 2, new Random(0), { rowsPerColumn: Number.POSITIVE_INFINITY });
  const [a, b] = [patchesOf(layer, x), patchesOf(layer, xq)];
  expect(moments.rows).toBe(a.count);

  const weight = matrixOf(layer.matrix, layer.weight.tensor);
  const rounded = weight.map((w) => Math.round(w * 4) / 4);
  for (let group = 0; group < groups; group++) {
    const at = (r: number, k: number) => (group * a.count + r) * columns + k;
    const mean = (rows: Float32Array, k: number) => {
      let sum = 0;
      for (let r = 0; r < a.count; r++) sum += rows[at(r, k)]!;
      return sum / a.count;
    };
    for (let k = 0; k < columns; k++) {
      expect(moments.mean[group * columns + k]).toBeCloseTo(mean(a.rows, k), 6);
      expect(moments.quantizedMean[group * columns + k]).toBeCloseTo(mean(b.rows, k), 6);
    }
    for (let o = 0; o < outputs; o++) {
      const row = (group * outputs + o) * columns;
      const d = Float64Array.from({ length: columns }, (_, k) => rounded[row + k]! - weight[row + k]!);
      let predicted = 0;
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j < columns; j++) {
          const place = (group * columns + i) * columns + j;
          predicted += d[i]! * (moments.h[place]! * d[j]! + 2 * moments.r[place]! * weight[row + j]!);
        }
      }
      // The variance of Wx − Ŵx̂ (that of the error at the best bias), less that of W(x̂ − x), which no Ŵ changes.
      const variance = (error: (r: number) => number) => {
        let [sum, squares] = [0, 0];
        for (let r = 0; r < a.count; r++) {
          sum += error(r);
          squares += error(r) ** 2;
        }
        return squares / a.count - (sum / a.count) ** 2;
      };
      const dot = (w: ArrayLike<number>, rows: Float32Array, r: number, from = row) => {
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += w[from + k]! * rows[at(r, k)]!;
        return sum;
      };
      const whole = variance((r) => dot(weight, a.rows, r) - dot(rounded, b.rows, r));
      const fixed = variance((r) => dot(weight, b.rows, r) - dot(weight, a.rows, r));
      expect(predicted).toBeCloseTo(whole - fixed, 5 /* products in float32 */);
    }
  }
});

test("sampled rows estimate the moments, and say how well", async () => {
  const model = modelOf(layers["Conv with pads and strides"]!.text);
  const layer = matrixLayers(model.graph)[0]!;
  const batches = Array.from({ length: 8 }, (_, i) => normals([2, 4, 7, 6], 10 + i));
  async function* pairs(): AsyncIterable<Pair> {
    for (const [i, x] of batches.entries()) yield { first: 2 * i, size: 2, float: x, quantized: x };
  }
  await using gatherer = await MomentGatherer.open(runtime, 1);
  const all = await gatherer.gather(layer, pairs(), 16, new Random(0), { rowsPerColumn: Number.POSITIVE_INFINITY });
  expect(all.r.every((value) => value === 0)).toBe(true);
  expect(all.samplingError).toBeGreaterThan(0);
  expect(all.samplingError).toBeLessThan(0.5);
});

test("around zero they are the plain means of products", () => {
  const random = new Random(3);
  const [rows, columns] = [50, 3];
  const numbers = () => Array.from({ length: rows * columns }, () => random.normal() + 2);
  const [x, q] = [numbers(), numbers()];
  const meanOf = (a: (row: number) => number) =>
    Array.from({ length: rows }, (_, n) => a(n)).reduce((s, v) => s + v / rows, 0);
  const column = (values: number[], i: number) => (row: number) => values[row * columns + i]!;
  const [mean, quantizedMean] = [x, q].map((all) =>
    Float64Array.from({ length: columns }, (_, i) => meanOf(column(all, i))),
  );
  const covariance = (i: number, j: number, minus: number[] | null) =>
    meanOf((n) => {
      const other = (row: number) => column(q, j)(row) - (minus ? column(minus, j)(row) : 0);
      return (column(q, i)(n) - quantizedMean![i]!) * (other(n) - meanOf(other));
    });
  const square = (of: (i: number, j: number) => number) =>
    Float64Array.from({ length: columns * columns }, (_, at) => of(Math.floor(at / columns), at % columns));
  const centred = {
    groups: 1,
    columns,
    rows,
    samplingError: 0,
    mean: mean!,
    quantizedMean: quantizedMean!,
    h: square((i, j) => covariance(i, j, null)),
    r: square((i, j) => covariance(i, j, x)),
  };
  const { h, r } = aroundZero(centred);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      expect(h[i * columns + j]).toBeCloseTo(
        meanOf((n) => column(q, i)(n) * column(q, j)(n)),
        10,
      );
      expect(r[i * columns + j]).toBeCloseTo(
        meanOf((n) => column(q, i)(n) * (column(q, j)(n) - column(x, j)(n))),
        10,
      );
    }
  }
});
