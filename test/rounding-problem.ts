/** Small rounding problems made from a seed, for the tests of the methods that solve them. */
import { Random } from "../src/base/inner.ts";
import type { RoundingProblem } from "../src/methods/on-moments/rounding-problem.ts";

/** Correlated inputs (H is a product), signed 4-bit grids a channel, and a cross term as a quantized prefix makes it. */
export function randomProblem(seed: number, groups = 2, outputs = 3, columns = 8): RoundingProblem {
  const random = new Random(seed);
  const normals = (n: number) => Float64Array.from({ length: n }, () => random.normal());
  const size = groups * outputs * columns;
  const weight = normals(size);
  const h = new Float64Array(groups * columns * columns);
  for (let g = 0; g < groups; g++) {
    const rows = columns + 2;
    const x = normals(rows * columns);
    const shared = normals(rows);
    for (let r = 0; r < rows; r++) for (let i = 0; i < columns; i++) x[r * columns + i]! += shared[r]!;
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += x[r * columns + i]! * x[r * columns + j]!;
        h[(g * columns + i) * columns + j] = sum / rows;
      }
    }
  }
  const scale = new Float64Array(size);
  for (let row = 0; row < groups * outputs; row++) {
    const most = Math.max(...weight.subarray(row * columns, (row + 1) * columns).map(Math.abs));
    scale.fill(most / 6, row * columns, (row + 1) * columns);
  }
  return {
    groups,
    outputs,
    columns,
    weight,
    scale,
    low: new Float64Array(size).fill(-8),
    high: new Float64Array(size).fill(7),
    h,
    t: normals(size).map((value) => 0.02 * value),
  };
}
