/** Channels-last operators against their definitions written out in float64, run by ONNX Runtime. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { check, type Dim, Graph, Model, removeDead } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { concat, reduce, unsqueeze } from "./axes.ts";
import { convolution, depthwiseConvolution, transposedConvolution } from "./convolution.ts";
import { elementwise, unary } from "./elementwise.ts";
import { Emitter, importedOpset } from "./emitter.ts";
import { matMul } from "./matrix.ts";
import { pad } from "./pad.ts";
import { pooling } from "./pooling.ts";
import { reshape, shapeOf, transpose } from "./reshape.ts";
import { slice } from "./slice.ts";
import type { Term } from "./term.ts";
import type { Padding } from "./windows.ts";

const random = new Random(5);
const normal = (shape: readonly number[]) =>
  Tensor.float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );

/** Builds a graph with one input, runs it, and returns the output and the operators that it has. */
async function run(
  x: Tensor,
  build: (e: Emitter, x: Term) => Term,
  { shape = x.shape as readonly Dim[], channelsFirst = false } = {},
): Promise<{ y: Tensor; ops: string[]; term: Term }> {
  const graph = new Graph("test");
  const e = new Emitter(graph, "test");
  const term = build(e, e.input("x", "float32", shape, { channelsFirst }));
  e.output("y", term);
  removeDead(graph);
  const model = new Model(graph, [["", importedOpset]]);
  check(model);
  checkNodes(model);
  const runtime = await openRuntime();
  await using session = await runtime.open(model, { optimization: "off" });
  const { y } = await session.run({ x });
  // What the importer believes of the shape is what came out.
  term.shape.forEach((dim, axis) => {
    if (typeof dim === "number") expect(y!.shape[axis]).toBe(dim);
  });
  expect(y!.shape.length).toBe(term.shape.length);
  return { y: y!, ops: Array.from(graph.nodes, (node) => node.op), term };
}

/** Sums of float32 products in another order: some 1e-6 of values around one. */
function expectClose(y: Tensor, expected: { shape: readonly number[]; data: readonly number[] }): void {
  expect(y.shape).toEqual(expected.shape);
  const numbers = y.numbers();
  expected.data.forEach((value, i) => {
    expect(Math.abs(numbers[i]! - value)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
  });
}

interface Case {
  readonly size: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Padding;
}

const same = (n: number, k: number, s: number): [number, number] => {
  const total = Math.max((Math.ceil(n / s) - 1) * s + k - n, 0);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
};

/** [N, H, W, C] by filter [h, w, in, out], from the definition; depthwise filters are [h, w, in, multiplier]. */
function reference(x: Tensor, w: Tensor, c: Case, depthwise = false) {
  const [n, h, wd, ci] = x.shape as [number, number, number, number];
  const [kh, kw, , co] = w.shape as [number, number, number, number];
  const pads = ([h, wd] as const).map((length, i) => {
    const reach = (c.kernel[i]! - 1) * c.dilation + 1;
    return c.padding === "SAME" ? same(length, reach, c.stride) : c.padding === "VALID" ? [0, 0] : c.padding[i]!;
  });
  const [oh, ow] = ([h, wd] as const).map(
    (length, i) =>
      Math.floor((length + pads[i]![0]! + pads[i]![1]! - (c.kernel[i]! - 1) * c.dilation - 1) / c.stride) + 1,
  ) as [number, number];
  const [xs, ws] = [x.numbers(), w.numbers()];
  const groups = depthwise ? ci : ci / w.shape[2]!;
  const outs = depthwise ? ci * co : co;
  const data: number[] = [];
  for (let b = 0; b < n; b++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let o = 0; o < outs; o++) {
          let sum = 0;
          for (let u = 0; u < kh; u++)
            for (let v = 0; v < kw; v++) {
              const [r, s] = [
                p * c.stride + u * c.dilation - pads[0]![0]!,
                q * c.stride + v * c.dilation - pads[1]![0]!,
              ];
              if (r < 0 || r >= h || s < 0 || s >= wd) continue;
              const per = depthwise ? 1 : ci / groups;
              const first = depthwise ? Math.floor(o / co) : Math.floor(o / (outs / groups)) * per;
              for (let i = 0; i < per; i++) {
                const weight = depthwise
                  ? ws[((u * kw + v) * ci + first) * co + (o % co)]!
                  : ws[((u * kw + v) * per + i) * co + o]!;
                sum += xs[((b * h + r) * wd + s) * ci + first + i]! * weight;
              }
            }
          data.push(sum);
        }
  return { shape: [n, oh, ow, outs], data };
}

const cases: Case[] = [
  { size: [5, 6], kernel: [3, 2], stride: 1, dilation: 1, padding: "SAME" },
  { size: [5, 6], kernel: [3, 3], stride: 2, dilation: 1, padding: "SAME" },
  { size: [8, 7], kernel: [2, 5], stride: 3, dilation: 1, padding: "SAME" },
  { size: [9, 8], kernel: [3, 3], stride: 1, dilation: 2, padding: "SAME" },
  { size: [9, 8], kernel: [3, 2], stride: 2, dilation: 2, padding: "SAME" },
  { size: [6, 7], kernel: [3, 2], stride: 2, dilation: 1, padding: "VALID" },
  {
    size: [6, 7],
    kernel: [3, 3],
    stride: 2,
    dilation: 1,
    padding: [
      [0, 1],
      [2, 1],
    ],
  },
  { size: [4, 4], kernel: [1, 1], stride: 2, dilation: 1, padding: "SAME" },
  { size: [6, 7], kernel: [2, 2], stride: 3, dilation: 1, padding: "SAME" },
];

describe("convolutions", () => {
  for (const c of cases) {
    const title = `${c.size} by ${c.kernel}, stride ${c.stride}, dilation ${c.dilation}, ${JSON.stringify(c.padding)}`;
    const window = { strides: [c.stride, c.stride], dilations: [c.dilation, c.dilation], padding: c.padding };
    test.each(["known", "unknown"])(`${title}, %s lengths`, async (kind) => {
      const shape = kind === "known" ? undefined : (["N", null, null, 4] as const);
      const x = normal([2, ...c.size, 4]);
      const dense = normal([...c.kernel, 4, 3]);
      const made = await run(x, (e, t) => convolution(e, t, e.constant(dense), window), shape ? { shape } : {});
      expectClose(made.y, reference(x, dense, c));
      const grouped = normal([...c.kernel, 2, 6]);
      expectClose(
        (await run(x, (e, t) => convolution(e, t, e.constant(grouped), window), shape ? { shape } : {})).y,
        reference(x, grouped, c),
      );
      const deep = normal([...c.kernel, 4, 2]);
      expectClose(
        (await run(x, (e, t) => depthwiseConvolution(e, t, e.constant(deep), window), shape ? { shape } : {})).y,
        reference(x, deep, c, true),
      );
    });
  }

  test("zeros around the input become the convolution's own padding", async () => {
    const x = normal([1, 5, 5, 2]);
    const w = normal([3, 3, 2, 3]);
    const pads = [
      [0, 0],
      [0, 1],
      [1, 1],
      [0, 0],
    ] as const;
    const made = await run(x, (e, t) =>
      convolution(e, pad(e, t, pads), e.constant(w), { strides: [2, 2], padding: "VALID" }),
    );
    expect(made.ops).toEqual(["Transpose", "Conv", "Transpose"]);
    expectClose(
      made.y,
      reference(x, w, {
        size: [5, 5],
        kernel: [3, 3],
        stride: 2,
        dilation: 1,
        padding: [
          [0, 1],
          [1, 1],
        ],
      }),
    );
  });

  // The transposed convolution is the gradient: <conv(y), x> = <y, transposed(x)> for every x and y.
  test.each(
    (["SAME", "VALID"] as const).flatMap((padding) =>
      [
        [7, 2, 3],
        [8, 2, 3],
        [6, 3, 2],
        [9, 3, 5],
        [6, 1, 4],
        [6, 2, 2],
      ].map(([size, stride, k]) => ({ padding, size: size!, stride: stride!, k: k! })),
    ),
  )("transposed, $padding to $size, stride $stride, kernel $k", async ({ padding, size, stride, k }) => {
    const c: Case = { size: [size, size], kernel: [k, k], stride, dilation: 1, padding };
    const filter = normal([k, k, 2, 3]);
    const y = normal([1, size, size, 2]);
    const forward = reference(y, filter, c);
    const x = normal(forward.shape);
    const made = await run(x, (e, t) =>
      transposedConvolution(e, t, e.constant(filter), { strides: [stride, stride], padding }, [size, size]),
    );
    expect(made.y.shape).toEqual([1, size, size, 2]);
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    expect(dot(made.y.numbers(), y.numbers())).toBeCloseTo(dot(forward.data, x.numbers()), 3);
    // Each element alone, so that the sum above hides nothing.
    const basis = Tensor.float32(
      y.shape,
      y.numbers().map((_, i) => Number(i === 5)),
    );
    expect(made.y.numbers()[5]).toBeCloseTo(dot(reference(basis, filter, c).data, x.numbers()), 4);
  });
});

describe("pooling", () => {
  test.each(cases.filter((c) => c.dilation === 1 && typeof c.padding === "string"))(
    "$size by $kernel, stride $stride, $padding",
    async (c) => {
      const x = normal([2, ...c.size, 3]);
      const window = { kernel: c.kernel, strides: [c.stride, c.stride], padding: c.padding };
      // A depthwise filter of ones sums what is under the window; one over ones counts it.
      const ones = Tensor.float32([...c.kernel, 3, 1], new Float32Array(c.kernel[0] * c.kernel[1] * 3).fill(1));
      const sums = reference(x, ones, c, true);
      const counts = reference(Tensor.float32(x.shape, new Float32Array(x.size).fill(1)), ones, c, true);
      const means = { shape: sums.shape, data: sums.data.map((v, i) => v / counts.data[i]!) };
      for (const shape of [x.shape, ["N", null, null, 3]]) {
        const mean = run(x, (e, t) => pooling(e, "AveragePool", t, window), { shape });
        const gaps = c.padding === "SAME" && shape !== x.shape && c.kernel[0] < c.stride && c.kernel[0] > 1;
        if (gaps) await expect(mean).rejects.toThrow(/known lengths/);
        else expectClose((await mean).y, means);
        const most = await run(x, (e, t) => pooling(e, "MaxPool", t, window), { shape });
        expect(most.y.shape).toEqual(sums.shape);
      }
    },
  );
});

describe("layout", () => {
  const weights = () => normal([3, 3, 4, 4]);

  test("element-wise operators, constants, slices, concat and reductions stay channels first", async () => {
    const x = normal([1, 6, 6, 4]);
    const w = weights();
    const scale = Tensor.float32([4], [1, 2, 3, 4]);
    const made = await run(x, (e, t) => {
      const y = convolution(e, t, e.constant(w), { padding: "SAME" });
      const scaled = elementwise(e, "Mul", [y, e.constant(scale)]);
      const both = concat(e, [scaled, unary(e, "Relu", scaled)], 3);
      const cut = slice(e, both, [{ axis: 3, start: 2, end: -1, step: 1 }]);
      return reduce(e, "ReduceMean", cut, [1, 2], false);
    });
    expect(made.ops).toEqual(["Transpose", "Conv", "Mul", "Relu", "Concat", "Slice", "ReduceMean"]);
    const conv = reference(x, w, { size: [6, 6], kernel: [3, 3], stride: 1, dilation: 1, padding: "SAME" }).data;
    const expected = [0, 1, 2, 3, 4].map((i) => {
      const c = i + 2;
      let sum = 0;
      for (let p = 0; p < 36; p++) {
        const v = conv[p * 4 + (c % 4)]! * ((c % 4) + 1);
        sum += c < 4 ? v : Math.max(v, 0);
      }
      return sum / 36;
    });
    expectClose(made.y, { shape: [1, 5], data: expected });
  });

  test("transposes and reshapes of the source that only name axes move nothing", async () => {
    const x = normal([1, 4, 6, 8]);
    const made = await run(x, (e, t) => {
      const w = e.constant(
        Tensor.float32(
          [1, 1, 8, 8],
          Array.from({ length: 64 }, (_, i) => Number(i % 9 === 0)),
        ),
      );
      const y = convolution(e, t, w, { padding: "SAME" });
      // A channel shuffle: split the channels, swap the halves, join them.
      const split = reshape(e, y, [1, 4, 6, 2, 4]);
      const joined = reshape(e, transpose(e, split, [0, 1, 2, 4, 3]), [1, 4, 6, 8]);
      return convolution(e, joined, w, { padding: "SAME" });
    });
    expect(made.ops).toEqual(["Transpose", "Conv", "Reshape", "Transpose", "Reshape", "Conv", "Transpose"]);
    const numbers = x.numbers();
    expectClose(made.y, {
      shape: x.shape,
      data: numbers.map((_, i) => numbers[i - (i % 8) + (i % 2) * 4 + Math.floor((i % 8) / 2)]!),
    });
  });

  test("a matrix product gets the source's order, and one transpose serves all its readers", async () => {
    const x = normal([1, 2, 3, 4]);
    const made = await run(x, (e, t) => {
      const y = convolution(e, t, e.constant(weights()), { padding: "SAME" });
      const rows = reshape(e, y, [6, 4]);
      const w = e.constant(normal([4, 2]));
      return elementwise(e, "Add", [matMul(e, rows, w), matMul(e, reshape(e, y, [6, 4]), w)]);
    });
    expect(made.ops.filter((op) => op === "Transpose")).toHaveLength(2);
  });

  test("inputs are channels first when asked for, and no transpose is left at the beginning", async () => {
    const x = normal([1, 4, 5, 6]);
    const made = await run(x, (e, t) => convolution(e, t, e.constant(weights()), { padding: "SAME" }), {
      shape: [1, 5, 6, 4],
      channelsFirst: true,
    });
    expect(made.ops).toEqual(["Conv", "Transpose"]);
    expect(made.y.shape).toEqual([1, 5, 6, 4]);
  });

  test("what is computed from shapes never reaches the graph, and the batch stays open", async () => {
    const x = normal([2, 4, 4, 3]);
    const made = await run(
      x,
      (e, t) => {
        const y = pooling(e, "MaxPool", t, { kernel: [2, 2], strides: [2, 2], padding: "VALID" });
        const shape = shapeOf(e, y, "int32");
        const batch = slice(e, shape, [{ axis: 0, start: 0, end: 1, step: 1 }]);
        const area = elementwise(e, "Mul", [
          slice(e, shape, [{ axis: 0, start: 1, end: 2, step: 1 }]),
          slice(e, shape, [{ axis: 0, start: 2, end: 3, step: 1 }]),
        ]);
        const target = concat(e, [batch, area, e.numbers([3], "int32")], 0);
        return reshape(e, y, target.content!, target);
      },
      { shape: ["N", 4, 4, 3] },
    );
    expect(made.ops).toEqual(["Transpose", "MaxPool", "Reshape", "Transpose"]);
    expect(made.term.shape).toEqual(["N", 4, 3]);
    expect(made.y.shape).toEqual([2, 4, 3]);
  });

  test("new axes of a stored tensor go where convolutions want them", async () => {
    const x = normal([1, 6, 3]);
    const made = await run(x, (e, t) => {
      const y = convolution(e, t, e.constant(normal([3, 3, 5])), { padding: "SAME" });
      return convolution(e, unsqueeze(e, y, [1]), e.constant(normal([1, 2, 5, 2])), { padding: "VALID" });
    });
    expect(made.ops).toEqual(["Transpose", "Conv", "Unsqueeze", "Conv", "Transpose"]);
    expect(made.y.shape).toEqual([1, 1, 5, 2]);
  });
});
