/** Every edit of a layer computes, in ONNX Runtime, what its formula says of the layer before. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isRefused, Random } from "../../base/inner.ts";
import { check, cloneModel, type Model, parseModel, tensorType } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { biasesOf, type EditableLayer, wholeLayer } from "./editable.ts";
import { cutInputs, cutOutputs, mixInputs, mixOutputs, type Rows } from "./mix.ts";
import { putBias, shiftedBias } from "./put-bias.ts";
import { scaleInput, scaleOutput } from "./scale.ts";

const runtime = await openRuntime();

interface Form {
  readonly x: readonly number[];
  readonly constants: string;
  readonly body: string;
  /** Axis of the channels of x and of y. */
  readonly axis: number;
}

const forms: Readonly<Record<string, Form>> = {
  Conv: { x: [2, 4, 5, 5], axis: 1, constants: "float[3,4,3,3] w, float[3] b", body: "y = Conv(x, w, b)" },
  "Conv without bias": { x: [2, 4, 5, 5], axis: 1, constants: "float[3,4,3,3] w", body: "y = Conv(x, w)" },
  ConvTranspose: {
    x: [2, 4, 3, 3],
    axis: 1,
    constants: "float[4,3,1,1] w, float[3] b",
    body: "y = ConvTranspose(x, w, b)",
  },
  "grouped Conv": {
    x: [2, 4, 5, 5],
    axis: 1,
    constants: "float[6,2,3,3] w, float[6] b",
    body: "y = Conv <group = 2> (x, w, b)",
  },
  "grouped ConvTranspose": {
    x: [2, 4, 3, 3],
    axis: 1,
    constants: "float[4,3,1,1] w",
    body: "y = ConvTranspose <group = 2> (x, w)",
  },
  Gemm: {
    x: [2, 4],
    axis: 1,
    constants: "float[3,4] w, float[3] b",
    body: "y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)",
  },
  "Gemm with one bias for all": {
    x: [2, 4],
    axis: 1,
    constants: "float[4,3] w, float[1] b",
    body: "y = Gemm(x, w, b)",
  },
  "MatMul of matrices": { x: [2, 4], axis: 1, constants: "float[4,3] w", body: "y = MatMul(x, w)" },
  "MatMul and Add": {
    x: [2, 2, 4],
    axis: 2,
    constants: "float[4,3] w, float[3] b",
    body: "p = MatMul(x, w) y = Add(b, p)",
  },
  "a bias that others read": {
    x: [2, 4],
    axis: 1,
    constants: "float[4,3] w, float[3] b",
    body: "y = Gemm(x, w, b) z = Relu(b)",
  },
};

function modelOf({ x, constants, body }: Form, seed: number): Model {
  return parseModel(
    `<ir_version: 8, opset_import: ["" : 17]> g (float[${x}] x) => (y${body.includes("z =") ? ", z" : ""}) <${constants}> { ${body} }`,
    { seed },
  );
}

function layerIn(model: Model): EditableLayer {
  const layer = wholeLayer([...model.graph.nodes][0]!);
  if (!layer || isRefused(layer)) throw new Error(layer?.refused ?? "no layer");
  return layer;
}

async function run(model: Model, x: Tensor): Promise<Tensor> {
  check(model);
  await using session = await runtime.open(model, { optimization: "off" });
  return Object.values(await session.run({ x }))[0]!;
}

/** M·x along one axis. */
function along(x: Tensor, axis: number, matrix: Rows): Tensor {
  const shape = x.shape.with(axis, matrix.length);
  const [inner, before] = [x.shape.slice(axis + 1).reduce((a, b) => a * b, 1), x.shape[axis]!];
  const values = x.floats();
  const made = new Float32Array(shape.reduce((a, b) => a * b, 1));
  made.forEach((_, i) => {
    const outer = Math.floor(i / (inner * matrix.length));
    const row = matrix[Math.floor(i / inner) % matrix.length]!;
    for (let c = 0; c < before; c++) made[i]! += row[c]! * values[(outer * before + c) * inner + (i % inner)]!;
  });
  return Tensor.float32(shape, made);
}

function affine(x: Tensor, axis: number, scale: readonly number[], shift: readonly number[]): Tensor {
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channel = (i: number) => Math.floor(i / inner) % x.shape[axis]!;
  return Tensor.float32(
    x.shape,
    x.floats().map((v, i) => v * scale[channel(i)]! + shift[channel(i)]!),
  );
}

/** Float32 sums of at most 36 products of numbers near one, in another order. */
function expectClose(a: Tensor, b: Tensor): void {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a.floats(), b.floats()];
  const size = y.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  x.forEach((v, i) => {
    expect(Math.abs(v - y[i]!)).toBeLessThan(2e-5 * size);
  });
}

const numbers = (random: Random, n: number) => Array.from({ length: n }, () => random.normal());
const input = (form: Form, random: Random) =>
  Tensor.float32(
    form.x,
    Float32Array.from(
      numbers(
        random,
        form.x.reduce((a, b) => a * b, 1),
      ),
    ),
  );

interface Change {
  /** What the edited model is fed, what the one before is fed, and what becomes of that one's output. */
  readonly fed?: (x: Tensor) => Tensor;
  readonly read?: (x: Tensor) => Tensor;
  readonly made?: (y: Tensor) => Tensor;
}

/** Edits layers of many weights; the edited model must compute what the change says of the one before. */
function holds(form: Form, edit: (model: Model, random: Random) => Change): Promise<void> {
  const same = (x: Tensor) => x;
  return fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), async (seed) => {
      const [before, random] = [modelOf(form, seed), new Random(seed)];
      const after = cloneModel(before);
      const { fed = same, read = same, made = same } = edit(after, random);
      const x = input(form, random);
      expectClose(await run(after, fed(x)), made(await run(before, read(x))));
    }),
    { numRuns: 4 },
  );
}

/** Rows of a matrix that choose channels. */
const choosing = (channels: readonly number[], of: number): Rows =>
  channels.map((c) => Array.from({ length: of }, (_, i) => (i === c ? 1 : 0)));

describe.each(Object.entries(forms))("%s", (name, form) => {
  test("a factor and a shift on the output", () =>
    holds(form, (model, random) => {
      const layer = layerIn(model);
      const [scale, shift] = [numbers(random, layer.axes.outputs), numbers(random, layer.axes.outputs)];
      scaleOutput(layer, { scale, shift });
      return { made: (y) => affine(y, form.axis, scale, shift) };
    }));

  test("a factor and a shift on the input", () =>
    holds(form, (model, random) => {
      const layer = layerIn(model);
      const [scale, shift] = [numbers(random, layer.axes.inputs), numbers(random, layer.axes.inputs)];
      scaleInput(layer, { scale, shift });
      return { read: (x) => affine(x, form.axis, scale, shift) };
    }));

  test("another bias", () =>
    holds(form, (model, random) => {
      const layer = layerIn(model);
      const shift = numbers(random, layer.axes.outputs);
      const bias = shiftedBias(layer.node, Float64Array.from(biasesOf(layer)), Float64Array.from(shift));
      putBias(layer.node, layer.bias, bias);
      return {
        made: (y) =>
          affine(
            y,
            form.axis,
            shift.map(() => 1),
            shift,
          ),
      };
    }));

  if (name.startsWith("grouped")) {
    test("matrices over channels are refused", () => {
      const layer = layerIn(modelOf(form, 1));
      const refused = { refused: expect.stringMatching(/groups/) };
      expect(mixOutputs(layer, [[1]])).toEqual(refused);
      expect(mixInputs(layer, [[1]])).toEqual(refused);
      expect(cutOutputs(layer, [0])).toEqual(refused);
      expect(cutInputs(layer, [0])).toEqual(refused);
    });
    return;
  }

  test("a matrix over the output channels, and one over the input channels", () =>
    holds(form, (model, random) => {
      const { inputs, outputs } = layerIn(model).axes;
      const m = Array.from({ length: 2 }, () => numbers(random, outputs));
      const n = Array.from({ length: inputs }, () => numbers(random, inputs));
      mixOutputs(layerIn(model), m);
      mixInputs(layerIn(model), n);
      return { read: (x) => along(x, form.axis, n), made: (y) => along(y, form.axis, m) };
    }));

  test("fewer channels", () =>
    holds(form, (model) => {
      const { inputs, outputs } = layerIn(model).axes;
      const [kept, read] = [
        [2, 0],
        [3, 1],
      ] as const;
      cutOutputs(layerIn(model), kept);
      cutInputs(layerIn(model), read);
      model.graph.inputs[0]!.type = tensorType("float32", form.x.with(form.axis, read.length));
      const zeroed = Array.from({ length: inputs }, (_, r) =>
        Array.from({ length: inputs }, (_, c) => (r === c && (read as readonly number[]).includes(r) ? 1 : 0)),
      );
      return {
        fed: (x) => along(x, form.axis, choosing(read, inputs)),
        read: (x) => along(x, form.axis, zeroed),
        made: (y) => along(y, form.axis, choosing(kept, outputs)),
      };
    }));
});
