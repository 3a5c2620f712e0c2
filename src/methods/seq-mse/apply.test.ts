/**
 * `search: "aimet"` against AIMET 2.42's rule done by hand on the data itself: candidates (min, max)·k/C, the squared error of the
 * outputs of each channel (of the part of each block), the best one each; per tensor the largest of what the channels chose.
 */
import { expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import {
  builtinTarget,
  calibrate,
  type Encoding,
  encodingMax,
  encodingMin,
  encodingOfRange,
  parseGrid,
  place,
  quantizeDequantize,
  type WeightGranularity,
} from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applySeqMse } from "./apply.ts";

const runtime = await openRuntime();
const candidates = 20;

/** A product of [samples, 12] and a weight [12, 6] or [6, 12]. */
const layers = {
  MatMul: { text: "y = MatMul(x, w)", weight: [12, 6] },
  "Gemm, transposed": { text: "y = Gemm <transB = 1> (x, w)", weight: [6, 12] },
} as const;

function inputs(): Tensor {
  const random = new Random(3);
  return Tensor.float32(
    [40, 12],
    Float32Array.from({ length: 480 }, (_, i) => random.normal() * (1 + (i % 12)) + 1),
  );
}

/** The error of every row of the matrix over every block of columns, summed over the samples, in float64. */
function lossesOf(x: Tensor, w: Tensor, of: Encoding, rowsFirst: boolean, size: number): number[][] {
  const [a, d] = [
    x.numbers(),
    quantizeDequantize(w, of)
      .numbers()
      .map((v, i) => v - w.numbers()[i]!),
  ];
  const at = (row: number, column: number) => d[rowsFirst ? row * 12 + column : column * 6 + row]!;
  return Array.from({ length: 6 }, (_, row) =>
    Array.from({ length: 12 / size }, (_, block) => {
      let sum = 0;
      for (let sample = 0; sample < 40; sample++) {
        let error = 0;
        for (let c = block * size; c < (block + 1) * size; c++) error += a[sample * 12 + c]! * at(row, c);
        sum += error * error;
      }
      return sum;
    }),
  );
}

const granularities: Record<string, WeightGranularity> = { tensor: "tensor", channel: "channel", block: { block: 4 } };

for (const [name, { text, weight }] of Object.entries(layers))
  for (const [kind, granularity] of Object.entries(granularities))
    for (const weights of ["int4", "int3"])
      test(`${name}, per ${kind}, ${weights}`, async () => {
        const rowsFirst = weight[0] === 6;
        const model = parseModel(
          `<ir_version: 10, opset_import: ["" : 21]> f (float[N,12] x) => (float[N,6] y) <float[${weight}] w> { ${text} }`,
          { seed: 4 },
        );
        const x = inputs();
        const target = builtinTarget("aimet-default");
        const shapes = await traceShapes(model, runtime, { x });
        const placed = place(model, target, { shapes, weights: parseGrid(weights), granularity });
        const data = arrayData({ x });
        const { plan } = await calibrate(model, placed, runtime, data, { scheme: "minmax" });
        const context = { runtime, data, target, calibration: "minmax" as const, seed: 0, threads: 1 };
        const found = await applySeqMse(model, plan, context, { search: "aimet", candidates });
        const encoding = found.plan.entries.find((entry) => entry.value === "w")!.encoding!;

        const w = model.graph.valuesByName().get("w")!.initializer!;
        const spanning = plan.entries.find((entry) => entry.value === "w")!.encoding!;
        const tried = Array.from({ length: candidates }, (_, k) => {
          const ends = (of: typeof encodingMin) =>
            spanning.scale.map((_, i) => (of(spanning, i) * (k + 1)) / candidates);
          return {
            ...encodingOfRange(ends(encodingMin), ends(encodingMax), spanning),
            granularity: spanning.granularity,
          };
        });
        const size = kind === "block" ? 4 : 12;
        const losses = tried.map((of) => lossesOf(x, w, of, rowsFirst, size));
        const bestOf = (row: number, block: number) => {
          const each = losses.map((loss) => loss[row]![block]!);
          return each.indexOf(Math.min(...each));
        };
        const largest = Math.max(...Array.from({ length: 6 }, (_, row) => bestOf(row, 0)));
        const wanted = spanning.scale.map((_, slice) => {
          if (kind === "tensor") return tried[largest]!.scale[slice];
          if (kind === "channel") return tried[bestOf(slice, 0)]!.scale[slice];
          // [6, 3] where rows come first, else [3, 6].
          const [row, block] = rowsFirst ? [Math.floor(slice / 3), slice % 3] : [slice % 6, Math.floor(slice / 6)];
          return tried[bestOf(row, block)]!.scale[slice];
        });
        // The same candidate; a fraction may be multiplied in another order. The next one is a twentieth away.
        expect(encoding.scale.length).toBe(wanted.length);
        encoding.scale.forEach((s, i) => {
          expect(s / wanted[i]!).toBeCloseTo(1, 9);
        });
        // Were the whole row judged together, or the tensor's sum, other candidates would have won.
        expect(new Set(wanted).size).toBeGreaterThan(kind === "tensor" ? 0 : 3);
      });
