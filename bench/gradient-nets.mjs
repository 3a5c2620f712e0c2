/** The networks of bench/gradients.mjs, the same as those of bench/gradients-torch.py, as ONNX graphs with random weights. */
import { Random } from "../dist/base/inner.js";
import { addNode, Graph, Model, tensorType } from "../dist/ir/inner.js";
import { Tensor } from "../dist/tensor/inner.js";

/** Builds a network layer by layer; `quantized` puts learned quantizers at weights (per channel) and activations. */
class Net {
  constructor(name, inputShape, quantized) {
    this.graph = new Graph(name);
    this.random = new Random(7);
    this.quantized = quantized;
    this.trained = [];
    this.states = [];
    this.x = this.graph.addInput("x", tensorType("float32", inputShape));
    this.zeros = new Map();
  }

  op(op, inputs, attributes = {}, options = {}) {
    return addNode(this.graph, op, inputs, attributes, options).output;
  }

  ints(values) {
    return this.graph.addInitializer("ints", Tensor.int64([values.length], values));
  }

  /** A trained tensor, normally distributed around `mean`. */
  weight(name, shape, deviation, mean = 0) {
    const size = shape.reduce((product, length) => product * length, 1);
    const data = Float32Array.from({ length: size }, () => mean + deviation * this.random.normal());
    const value = this.graph.addInitializer(name, Tensor.float32(shape, data));
    this.trained.push(value.name);
    return value;
  }

  /** Fake quantization to int8 with a learned scale, or one for each channel of axis 0. */
  quantizer(x, name, channels) {
    if (!this.quantized) return x;
    const shape = channels ? [channels] : [];
    const scale = this.weight(`${name}_scale`, shape, 0, 0.05);
    if (!this.zeros.has(channels)) {
      this.zeros.set(
        channels,
        this.graph.addInitializer("zero", Tensor.of("int8", shape, new Int8Array(channels ?? 1))),
      );
    }
    const zero = this.zeros.get(channels);
    const axis = channels ? { axis: 0 } : {};
    return this.op("DequantizeLinear", [this.op("QuantizeLinear", [x, scale, zero], axis), scale, zero], axis);
  }

  conv(x, name, inputs, outputs, { kernel = 3, stride = 1, group = 1 } = {}) {
    const fan = (inputs / group) * kernel * kernel;
    const weight = this.weight(`${name}_w`, [outputs, inputs / group, kernel, kernel], Math.sqrt(2 / fan));
    const pad = (kernel - 1) / 2;
    const attributes = {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      group,
    };
    return this.op("Conv", [x, this.quantizer(weight, `${name}_w`, outputs)], attributes);
  }

  /** Batch normalization with the statistics of the batch; the running ones are states. */
  norm(x, name, channels) {
    const { graph } = this;
    const gain = this.weight(`${name}_g`, [channels], 0.2, 1);
    const shift = this.weight(`${name}_b`, [channels], 0.1);
    const running = (suffix, value) => {
      const tensor = Tensor.float32([channels], new Float32Array(channels).fill(value));
      const state = graph.addInitializer(`${name}_${suffix}`, tensor);
      this.states.push({ name: state.name, next: `${name}_${suffix}_next` });
      return state;
    };
    const [mean, variance] = [running("m", 0), running("v", 1)];
    const node = addNode(
      graph,
      "BatchNormalization",
      [x, gain, shift, mean, variance],
      { training_mode: 1 },
      { outputs: [`${name}_y`, `${name}_m_next`, `${name}_v_next`] },
    );
    return node.output;
  }

  layer(x, name, inputs, outputs, { relu = true, ...conv } = {}) {
    const y = this.norm(this.conv(x, name, inputs, outputs, conv), name, outputs);
    return this.quantizer(relu ? this.op("Relu", [y]) : y, `${name}_y`);
  }

  /** Average over positions, then a linear layer to 10 classes. */
  head(x, width) {
    const pooled = this.op("Flatten", [this.op("GlobalAveragePool", [x])]);
    const weight = this.weight("head_w", [10, width], 0.1);
    return this.op("Gemm", [pooled, weight, this.weight("head_b", [10], 0)], { transB: 1 });
  }

  /** The model with output `y`, the names of what is trained, and the running statistics. */
  finish(y) {
    const { graph, trained, states } = this;
    y.type = tensorType("float32", null);
    graph.addOutput(y);
    return { model: new Model(graph, [["", 21]]), trained, states };
  }
}

/** ResNet-20 for CIFAR with parameter-free shortcuts. */
function resnet20(quantized, batch = 64) {
  const net = new Net("resnet20", [batch, 3, 32, 32], quantized);
  let x = net.layer(net.quantizer(net.x, "x"), "stem", 3, 16);
  let width = 16;
  for (const [index, outputs] of [16, 16, 16, 32, 32, 32, 64, 64, 64].entries()) {
    const stride = outputs === width ? 1 : 2;
    const a = net.layer(x, `b${index}a`, width, outputs, { stride });
    const b = net.layer(a, `b${index}b`, outputs, outputs, { relu: false });
    const shortcut = stride === 1 ? x : shortened(net, x, outputs - width);
    x = net.quantizer(net.op("Relu", [net.op("Add", [b, shortcut])]), `b${index}`);
    width = outputs;
  }
  return net.finish(net.head(x, 64));
}

/** Every second place, and channels of zeros around those that are there. */
function shortened(net, x, more) {
  const [from, to, axes, steps] = [
    [0, 0],
    [1 << 30, 1 << 30],
    [2, 3],
    [2, 2],
  ].map((values) => net.ints(values));
  const places = net.op("Slice", [x, from, to, axes, steps]);
  return net.op("Pad", [places, net.ints([0, more / 2, 0, 0, 0, more / 2, 0, 0])]);
}

/** MobileNetV1 0.25 at 96 × 96. */
function mobilenet(quantized, batch = 32) {
  const net = new Net("mobilenet", [batch, 3, 96, 96], quantized);
  let x = net.layer(net.quantizer(net.x, "x"), "stem", 3, 8, { stride: 2 });
  let width = 8;
  const blocks = [
    [16, 1],
    [32, 2],
    [32, 1],
    [64, 2],
    [64, 1],
    [128, 2],
    ...Array(5).fill([128, 1]),
    [256, 2],
    [256, 1],
  ];
  for (const [index, [outputs, stride]] of blocks.entries()) {
    x = net.layer(x, `d${index}`, width, width, { stride, group: width });
    x = net.layer(x, `p${index}`, width, outputs, { kernel: 1 });
    width = outputs;
  }
  return net.finish(net.head(x, width));
}

/** One block of MobileNetV1: depthwise and pointwise, 64 channels at 24 × 24. */
function separable(quantized, batch = 32) {
  const net = new Net("separable", [batch, 64, 24, 24], quantized);
  const depthwise = net.layer(net.x, "d", 64, 64, { group: 64 });
  return net.finish(net.head(net.layer(depthwise, "p", 64, 64, { kernel: 1 }), 64));
}

/** One transformer block, norms first: 4 heads, width 256, 128 tokens. */
function transformer(_quantized, batch = 8) {
  const [length, width, heads] = [128, 256, 4];
  const net = new Net("transformer", [batch, length, width], false);
  const linear = (x, name, inputs, outputs) => {
    const product = net.op("MatMul", [x, net.weight(`${name}_w`, [inputs, outputs], inputs ** -0.5)]);
    return net.op("Add", [product, net.weight(`${name}_b`, [outputs], 0)]);
  };
  const norm = (x, name) => {
    const parameters = [net.weight(`${name}_g`, [width], 0, 1), net.weight(`${name}_b`, [width], 0)];
    return net.op("LayerNormalization", [x, ...parameters], { axis: -1 });
  };
  const split = (x, perm) => net.op("Transpose", [net.op("Reshape", [x, net.ints([0, length, heads, -1])])], { perm });
  const normed = norm(net.x, "norm1");
  const [q, k, v] = ["q", "k", "v"].map((name) => linear(normed, name, width, width));
  const products = net.op("MatMul", [split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1])]);
  const scale = net.graph.addInitializer("scale", Tensor.scalar((width / heads) ** -0.5));
  const weights = net.op("Softmax", [net.op("Mul", [products, scale])], { axis: -1 });
  const seen = net.op("Transpose", [net.op("MatMul", [weights, split(v, [0, 2, 1, 3])])], { perm: [0, 2, 1, 3] });
  const joined = net.op("Reshape", [seen, net.ints([0, length, width])]);
  const attended = net.op("Add", [net.x, linear(joined, "out", width, width)]);
  const up = net.op("Gelu", [linear(norm(attended, "norm2"), "up", width, 4 * width)]);
  const y = net.op("Add", [attended, linear(up, "down", 4 * width, width)]);
  const mean = net.op("ReduceMean", [y, net.ints([1])], { keepdims: 0 });
  return net.finish(linear(mean, "head", width, 10));
}

/** An LSTM of 128 units over 32 steps of 64 numbers, judged by its last state. */
function lstm(_quantized, batch = 32) {
  const net = new Net("lstm", [32, batch, 64], false);
  const units = 128;
  const w = net.weight("w", [1, 4 * units, 64], units ** -0.5);
  const r = net.weight("r", [1, 4 * units, units], units ** -0.5);
  const b = net.weight("b", [1, 8 * units], 0);
  const node = addNode(net.graph, "LSTM", [net.x, w, r, b], { hidden_size: units }, { outputs: ["all", "last"] });
  const last = net.op("Reshape", [node.outputs[1], net.ints([batch, units])]);
  const head = net.weight("head_w", [10, units], 0.1);
  return net.finish(net.op("Gemm", [last, head, net.weight("head_b", [10], 0)], { transB: 1 }));
}

/** By name; each is a function of whether it has quantizers. */
export const nets = { resnet20, mobilenet, separable, transformer, lstm };
