/** The networks of bench/gradients.mjs, the same as those of bench/gradients-torch.py, as ONNX graphs with random weights. */
import { Random } from "../dist/base/index.js";
import { addNode, Graph, Model, tensorType } from "../dist/ir/index.js";
import { Tensor } from "../dist/tensor/index.js";

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

  /** Average over places, then a linear layer to 10 classes. */
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
export function resnet20(quantized, batch = 64) {
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
  const ints = (values) => net.graph.addInitializer("ints", Tensor.int64([values.length], values));
  const places = net.op("Slice", [x, ints([0, 0]), ints([1 << 30, 1 << 30]), ints([2, 3]), ints([2, 2])]);
  return net.op("Pad", [places, ints([0, more / 2, 0, 0, 0, more / 2, 0, 0])]);
}

/** MobileNetV1 0.25 at 96 × 96. */
export function mobilenet(quantized, batch = 32) {
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
