/**
 * The network of the example, untrained, as an Avocet model: a convolution, depthwise-separable blocks (each
 * convolution with BatchNorm and ReLU6, as in MobileNetV1), global average pooling and one linear layer. This list is
 * its only definition: training starts from the file this makes and changes nothing but the numbers in it.
 */
import { Model, Random, Tensor } from "avocet";
import { addNode, Graph, tensorType } from "avocet/ir";
import { classNames } from "./objects.mjs";
import { side } from "./render.mjs";

/** Channels after the first convolution, which halves the picture. */
const stem = 16;

/** Blocks in order: channels that leave it, and the stride of its depthwise convolution. */
const blocks = [
  { channels: 32, stride: 1 },
  { channels: 48, stride: 2 },
  { channels: 64, stride: 1 },
  { channels: 96, stride: 2 },
  { channels: 128, stride: 1 },
  { channels: 160, stride: 2 },
];

/** Pixels become the network's input as (x / 255 − 0.5) / 0.25, red, green, blue, channels first. */
export const preprocess = { scale: "1/255", mean: 0.5, std: 0.25 };

/**
 * The network with He-initialised weights: uniform, with variance 2 / inputs of a unit, which keeps the size of
 * activations through ReLUs. Input `image` [batch, 3, side, side], output `logits` [batch, classes].
 * @param {number} seed
 */
export function untrainedNetwork(seed) {
  const random = new Random(seed);
  const graph = new Graph("pictures");
  const image = graph.addInput("image", tensorType("float32", ["batch", 3, side, side]));

  /** @param {string} name @param {number[]} shape @param {number} inputs what one unit reads */
  const weight = (name, shape, inputs) => {
    const bound = Math.sqrt(6 / inputs);
    const size = shape.reduce((product, dim) => product * dim, 1);
    const values = Float32Array.from({ length: size }, () => random.uniform(-bound, bound));
    return graph.addInitializer(name, Tensor.float32(shape, values));
  };
  /** @param {string} name @param {number} channels @param {number} value */
  const filled = (name, channels, value) =>
    graph.addInitializer(name, Tensor.float32([channels], new Float32Array(channels).fill(value)));
  const six = [0, 6].map((bound, i) => graph.addInitializer(["zero", "six"][i] ?? "", Tensor.scalar(bound)));

  /**
   * Convolution, BatchNorm, ReLU6.
   * @param {string} name @param {import("avocet/ir").Value} x
   * @param {{ from: number, to: number, kernel: number, stride: number, group: number }} layer
   */
  const convolution = (name, x, { from, to, kernel, stride, group }) => {
    const pad = (kernel - 1) / 2;
    const shape = [to, from / group, kernel, kernel];
    const w = weight(`${name}.weight`, shape, (from / group) * kernel * kernel);
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad], group };
    const y = addNode(graph, "Conv", [x, w], attributes, { name, output: `${name}.conv` }).output;
    const statistics = [filled(`${name}.scale`, to, 1), filled(`${name}.bias`, to, 0), filled(`${name}.mean`, to, 0), filled(`${name}.var`, to, 1)]; // biome-ignore format: in the operator's order
    const epsilon = { epsilon: { type: /** @type {const} */ ("float"), value: 1e-5 } };
    const z = addNode(graph, "BatchNormalization", [y, ...statistics], epsilon, {
      name: `${name}.norm`,
      output: `${name}.norm`,
    }).output;
    return addNode(graph, "Clip", [z, ...six], {}, { name: `${name}.relu6`, output: name }).output;
  };

  let x = convolution("stem", image, { from: 3, to: stem, kernel: 3, stride: 2, group: 1 });
  let channels = stem;
  for (const [i, block] of blocks.entries()) {
    const from = channels;
    x = convolution(`block${i + 1}.depthwise`, x, { from, to: from, kernel: 3, stride: block.stride, group: from });
    x = convolution(`block${i + 1}.pointwise`, x, { from, to: block.channels, kernel: 1, stride: 1, group: 1 });
    channels = block.channels;
  }
  const pooled = addNode(graph, "GlobalAveragePool", [x], {}, { name: "pool", output: "pool" }).output;
  const features = addNode(graph, "Flatten", [pooled], {}, { name: "flatten", output: "features" }).output;
  const w = weight("classifier.weight", [classNames.length, channels], channels);
  const logits = addNode(
    graph,
    "Gemm",
    [features, w, filled("classifier.bias", classNames.length, 0)],
    { transB: 1 },
    { name: "classifier", output: "logits" },
  ).output;
  logits.type = tensorType("float32", ["batch", classNames.length]);
  graph.addOutput(logits);

  const model = new Model(graph, [["", 17]]);
  model.irVersion = 8;
  model.producerName = "avocet";
  model.metadata.set("classes", classNames.join(","));
  return model;
}
