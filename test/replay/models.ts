/** The models whose quantization is replayed: those that the project makes itself, and real ones where they are. */
import { join } from "node:path";
import { Random } from "../../src/base/inner.ts";
import type { Dataset } from "../../src/data/inner.ts";
import { readModelFile } from "../../src/formats/inner-node.ts";
import { type Model, parseModel, staticShape, tensorType } from "../../src/ir/inner.ts";
import { sizeOf, Tensor } from "../../src/tensor/inner.ts";
import { arrayData } from "../array-data.ts";
import { graphOf } from "../block-graphs.ts";
import { fixture } from "../fixtures.ts";
import { root } from "../source-files.ts";

export interface Replayed {
  readonly name: string;
  readonly model: () => Model;
  readonly data: (model: Model) => Promise<Dataset>;
  /** What data-free needs to know of the inputs. */
  readonly recipe?: object;
  /** Files among the fixtures without which it is skipped. */
  readonly needs: readonly string[];
}

/** Every kind of layer, bias, join, movement and activation that placement and lowering tell apart. */
const graphs: Readonly<Record<string, readonly string[]>> = {
  convolutions: ["conv", "relu", "grouped", "depthwise", "relu6", "shared"],
  transposed: ["transposed", "leaky", "point", "clip"],
  joins: ["residual", "concat", "relu", "channels", "gate"],
  moves: ["conv", "shuffle", "places", "widened", "unshuffled"],
  pools: ["conv", "relu", "pad", "average", "zeros"],
  rows: ["rows", "last", "prelu"],
  norms: ["conv", "norm", "relu", "depthwise", "norm", "relu", "apart"],
};

const transformer = `<ir_version: 10, opset_import: ["" : 21]>
  block (float[N,6,16] x) => (float[N,6,16] y)
  <float[16,16] wq, float[16,16] wk, float[16,16] wv, float[16,16] wo, float[16] bq, float[16,32] up, float[32] bu, float[32,16] down,
   float[16] g, float[16] b, float scale = {0.25}> {
    n = LayerNormalization(x, g, b)
    q0 = MatMul(n, wq) q = Add(q0, bq)
    k = MatMul(n, wk)
    v = MatMul(n, wv)
    t = Transpose <perm = [0,2,1]> (k)
    s0 = MatMul(q, t) s = Mul(s0, scale)
    p = Softmax(s)
    c = MatMul(p, v)
    o = MatMul(c, wo)
    r = Add(x, o)
    u0 = MatMul(r, up) u = Add(u0, bu)
    a = Gelu(u)
    d = MatMul(a, down)
    y = Add(r, d) }`;

function normal(shape: readonly number[], seed: number): Tensor {
  const random = new Random(seed);
  return Tensor.float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

const rows = (shape: readonly number[]) => async () => arrayData({ x: normal(shape, 3) });

function withFreeBatch(model: Model): Model {
  for (const value of [...model.graph.inputs, ...model.graph.outputs]) {
    const shape = staticShape(value.type);
    if (shape && !value.initializer) value.type = tensorType("float32", ["N", ...shape.slice(1)]);
  }
  return model;
}

const ours: readonly Replayed[] = [
  ...Object.entries(graphs).map(([name, blocks]) => ({
    name,
    model: () => withFreeBatch(graphOf(blocks)),
    data: async () => arrayData({ x0: normal([16, 8, 8, 8], 3) }),
    recipe: { inputs: { x0: { low: -3, high: 3 } } },
    needs: [],
  })),
  { name: "transformer", model: () => parseModel(transformer, { seed: 4 }), data: rows([24, 6, 16]), needs: [] },
  {
    name: "pictures",
    model: () => readModelFile(join(root, "examples/models/pictures.onnx")),
    data: async (model) => {
      const input = model.graph.inputs.find((value) => !value.initializer)!.name;
      return arrayData({ [input]: normal([24, 3, 48, 48], 6) });
    },
    needs: [],
  },
];

/** Real networks see noise, too: what is replayed is what Avocet does with them, not how well. */
const real = (name: string, file: string, shapes: Readonly<Record<string, readonly number[]>>): Replayed => ({
  name,
  model: () => readModelFile(fixture(file)),
  data: async () =>
    arrayData(Object.fromEntries(Object.entries(shapes).map(([input, shape]) => [input, normal([8, ...shape], 9)]))),
  needs: [file],
});

const theirs: readonly Replayed[] = [
  real("resnet-20", "cifar10/resnet20_cifar10jpeg_finetuned.onnx", { input: [3, 32, 32] }),
  real("mobilenet-v1", "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", { input: [3, 224, 224] }),
  real("mobilenet-v2", "mobilenetv2-imagenet/mnv2_bn.onnx", { x: [3, 224, 224] }),
  real("espnet", "espnet-camvid/espnet_camvid.onnx", { input: [3, 360, 480] }),
  real("fastestdet", "fastestdet-coco/FastestDet.onnx", { "input.1": [3, 352, 352] }),
];

export const replayed: readonly Replayed[] = [...ours, ...theirs];
