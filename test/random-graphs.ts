/**
 * Random small networks from a seed: linear operators of all ranks and attribute forms, biases in every form that is broadcast,
 * elementwise operators and data movement between them. What quantization must keep on any of them can be tried on thousands.
 */
import { Random } from "../src/base/inner.ts";
import { type Model, parseModel } from "../src/ir/inner.ts";
import { sizeOf, Tensor } from "../src/tensor/inner.ts";

export interface RandomGraph {
  readonly model: Model;
  /** The one input, [samples, …], normally distributed. */
  readonly x: Tensor;
  /** The nodes in ONNX's text, for people who look into a failure. */
  readonly text: string;
}

const samples = 6;

/** The network of a seed; equal seeds give equal networks. */
export function randomGraph(seed: number): RandomGraph {
  const builder = new Builder(new Random(seed));
  return builder.build();
}

class Builder {
  readonly #random: Random;
  readonly #nodes: string[] = [];
  readonly #constants = new Map<string, Tensor>();
  /** Without the axis of the samples. */
  #shape: number[];
  #now = "x";
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    const kind = random.integer(5);
    const lengths = (n: number) => Array.from({ length: n }, () => 5 + random.integer(4));
    const channels = 2 * (1 + random.integer(4));
    this.#shape =
      kind < 3 ? [channels, ...lengths(kind + 1)] : kind === 3 ? [3 + random.integer(4), channels] : [channels];
    // The three-dimensional ones are costly, and no different in kind.
    if (this.#shape.length === 4) this.#shape = [channels, 4, 3, 4];
  }

  build(): RandomGraph {
    const input = [...this.#shape];
    const stages = 2 + this.#random.integer(3);
    for (let i = 0; i < stages; i++) {
      this.#linear();
      for (let k = this.#random.integer(3); k > 0; k--) this.#elementwise();
      if (this.#chance(0.5)) this.#move();
    }
    // A last activation may let nothing but the noise pass.
    this.#linear();
    const constants = [...this.#constants].map(([name, { dtype, shape }]) =>
      dtype === "float32"
        ? `float${shape.length > 0 ? `[${shape.join(",")}]` : ""} ${name}`
        : `int64[${shape.join(",")}] ${name} = {${this.#constants.get(name)!.numbers().join(",")}}`,
    );
    const text = `g (float[N,${input.join(",")}] x) => (float[${["N", ...this.#shape].join(",")}] ${this.#now})
  <${constants.join(", ")}>
  { ${this.#nodes.join("\n    ")} }`;
    const model = parseModel(`<ir_version: 10, opset_import: ["": 21]> ${text}`, { seed: 1 });
    for (const value of model.graph.initializers) value.initializer = this.#constants.get(value.name)!;
    return { model, x: this.#normal([samples, ...input], 1), text };
  }

  #chance(share: number): boolean {
    return this.#random.uniform() < share;
  }

  #pick<T>(...from: readonly T[]): T {
    return from[this.#random.integer(from.length)]!;
  }

  #normal(shape: readonly number[], deviation: number, mean = 0): Tensor {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => this.#random.normal(mean, deviation));
    return Tensor.float32(shape, data);
  }

  #float(shape: readonly number[], deviation: number, mean = 0): string {
    const name = `k${this.#constants.size}`;
    this.#constants.set(name, this.#normal(shape, deviation, mean));
    return name;
  }

  #ints(values: readonly number[]): string {
    const name = `k${this.#constants.size}`;
    this.#constants.set(name, Tensor.int64([values.length], values));
    return name;
  }

  #node(op: string, inputs: readonly string[], attributes = ""): void {
    const output = `v${this.#count++}`;
    this.#nodes.push(`${output} = ${op}${attributes ? ` <${attributes}>` : ""} (${inputs.join(", ")})`);
    this.#now = output;
  }

  #linear(): void {
    const rank = this.#shape.length;
    if (rank === 1)
      this.#pick(
        () => this.#gemm(),
        () => this.#matMul(),
        () => this.#left(),
      )();
    else if (rank === 2 && this.#chance(0.6))
      this.#pick(
        () => this.#matMul(),
        () => this.#matMul(),
        () => this.#left(),
        () => this.#heads(),
      )();
    else if (rank >= 2)
      this.#pick(
        () => this.#convolution(),
        () => this.#convolution(),
        () => this.#transposed(),
        () => this.#matMul(),
      )();
  }

  #groups(channels: number): number {
    return this.#pick(1, 1, channels, ...(channels % 2 === 0 ? [2] : []));
  }

  #convolution(): void {
    const [channels = 1, ...lengths] = this.#shape;
    const group = this.#groups(channels);
    const outputs = group * (1 + this.#random.integer(group === channels ? 2 : 4));
    const kernel = lengths.map((n) => 1 + this.#random.integer(Math.min(3, n)));
    const dilations = lengths.map((n, d) => ((kernel[d]! - 1) * 2 + 1 <= n ? this.#pick(1, 1, 2) : 1));
    const strides = lengths.map(() => this.#pick(1, 1, 2));
    // ONNX Runtime takes SAME without dilation only.
    const auto = this.#pick(
      "NOTSET",
      "NOTSET",
      ...(dilations.every((n) => n === 1) ? ["SAME_UPPER", "SAME_LOWER", "VALID"] : []),
    );
    const pads = [...lengths, ...lengths].map(() => (auto === "NOTSET" ? this.#random.integer(2) : 0));
    const weight = this.#float(
      [outputs, channels / group, ...kernel],
      1 / Math.sqrt((channels / group) * sizeOf(kernel)),
    );
    const bias = this.#chance(0.5) ? [this.#float([outputs], 0.5)] : [];
    const padding = auto === "NOTSET" ? `pads = [${pads}]` : `auto_pad = "${auto}"`;
    this.#node(
      "Conv",
      [this.#now, weight, ...bias],
      `group = ${group}, strides = [${strides}], dilations = [${dilations}], ${padding}`,
    );
    const spatial = lengths.map((n, d) => {
      const reach = (kernel[d]! - 1) * dilations[d]! + 1;
      if (auto.startsWith("SAME")) return Math.ceil(n / strides[d]!);
      return Math.floor((n + pads[d]! + pads[lengths.length + d]! - reach) / strides[d]!) + 1;
    });
    this.#shape = [outputs, ...spatial];
    if (this.#chance(0.3))
      this.#add(this.#pick([outputs, ...spatial.map(() => 1)], [1, outputs, ...spatial.map(() => 1)], [1], []));
  }

  #transposed(): void {
    const [channels = 1, ...lengths] = this.#shape;
    const group = this.#groups(channels);
    const each = 1 + this.#random.integer(3);
    const kernel = lengths.map(() => 1 + this.#random.integer(3));
    const strides = lengths.map(() => this.#pick(1, 2));
    const extra = strides.map((s) => (s > 1 && this.#chance(0.3) ? 1 : 0));
    const same = this.#pick("", "", "SAME_UPPER", "SAME_LOWER");
    const pads = kernel.map((k, d) => (same === "" && k > 1 && lengths[d]! > 2 ? this.#random.integer(2) : 0));
    const weight = this.#float([channels, each, ...kernel], 1 / Math.sqrt((channels / group) * sizeOf(kernel)));
    const bias = this.#chance(0.5) ? [this.#float([each * group], 0.5)] : [];
    const padding = same ? `auto_pad = "${same}"` : `pads = [${[...pads, ...pads]}], output_padding = [${extra}]`;
    this.#node("ConvTranspose", [this.#now, weight, ...bias], `group = ${group}, strides = [${strides}], ${padding}`);
    this.#shape = [
      each * group,
      ...lengths.map((n, d) => {
        const full = (n - 1) * strides[d]! + kernel[d]! + extra[d]!;
        return same ? Math.min(n * strides[d]!, full - extra[d]!) : full - 2 * pads[d]!;
      }),
    ];
  }

  #gemm(): void {
    const [inputs = 1] = this.#shape;
    const outputs = 2 + this.#random.integer(8);
    const transB = this.#chance(0.5);
    const transA = this.#chance(0.2);
    const weight = this.#float(transB ? [outputs, inputs] : [inputs, outputs], 1 / Math.sqrt(inputs));
    const form = this.#pick<readonly number[] | null>(null, [outputs], [outputs], [1], [1, outputs], [1, 1], []);
    const bias = form === null ? [] : [this.#float(form, 0.5)];
    const [alpha, beta] = [this.#pick("1.0", "1.0", "0.5", "-2.0"), this.#pick("1.0", "1.0", "2.0")];
    if (transA) this.#node("Transpose", [this.#now], "perm = [1,0]");
    this.#node(
      "Gemm",
      [this.#now, weight, ...bias],
      `transA = ${transA ? 1 : 0}, transB = ${transB ? 1 : 0}, alpha = ${alpha}, beta = ${beta}`,
    );
    this.#shape = [outputs];
  }

  /** A constant of rank 2 or more on the right. */
  #matMul(): void {
    const inputs = this.#shape.at(-1)!;
    const outputs = 2 + this.#random.integer(8);
    const leading = this.#shape.slice(0, -2).map((n) => this.#pick(1, n));
    const form = this.#shape.length > 1 ? this.#pick([], [], [1], leading) : [];
    const weight = this.#float([...form, inputs, outputs], 1 / Math.sqrt(inputs));
    this.#node("MatMul", [this.#now, weight]);
    this.#shape = [...this.#shape.slice(0, -1), outputs];
    const last = this.#pick<readonly number[] | null>(
      null,
      [outputs],
      [outputs],
      [1, outputs],
      [1],
      [],
      [this.#shape.at(-2) ?? 1, 1],
    );
    if (last) this.#add(this.#shape.length === 1 && last.length === 2 ? [1, last[1] === 1 ? 1 : outputs] : last);
  }

  /** A constant on the left, or none: attention's product of a value with itself. */
  #left(): void {
    if (this.#shape.length === 1) {
      const rows = 2 + this.#random.integer(6);
      const weight = this.#float([rows, this.#shape[0]!], 1 / Math.sqrt(this.#shape[0]!));
      this.#node("Transpose", [this.#now], "perm = [1,0]");
      this.#node("MatMul", [weight, this.#now]);
      this.#node("Transpose", [this.#now], "perm = [1,0]");
      this.#shape = [rows];
      if (this.#chance(0.5)) this.#add([rows]);
      return;
    }
    const [time = 1, width = 1] = this.#shape;
    if (this.#chance(0.5)) {
      const rows = 2 + this.#random.integer(6);
      this.#node("MatMul", [this.#float(this.#pick([rows, time], [1, rows, time]), 1 / Math.sqrt(time)), this.#now]);
      this.#shape = [rows, width];
      if (this.#chance(0.5)) this.#add(this.#pick([width], [rows, 1]));
      return;
    }
    const query = this.#now;
    this.#node("Transpose", [query], "perm = [0,2,1]");
    this.#node("MatMul", [query, this.#now]);
    this.#node("Mul", [this.#now, this.#float([], 0, 1 / width)]);
    this.#node("Softmax", [this.#now], "axis = -1");
    this.#node("MatMul", [this.#now, query]);
    this.#shape = [time, width];
  }

  /** A product per head with a constant of rank 3. */
  #heads(): void {
    const [time = 1, width = 2] = this.#shape;
    if (width % 2 !== 0) {
      this.#matMul();
      return;
    }
    this.#node("Reshape", [this.#now, this.#ints([0, time, 2, width / 2])]);
    this.#node("Transpose", [this.#now], "perm = [0,2,1,3]");
    this.#node("MatMul", [this.#now, this.#float([2, width / 2, 3], 1 / Math.sqrt(width / 2))]);
    if (this.#chance(0.5)) this.#add(this.#pick([3], [2, 1, 3], [2, 1, 1], [1]));
    this.#node("Transpose", [this.#now], "perm = [0,2,1,3]");
    this.#node("Reshape", [this.#now, this.#ints([0, time, 6])]);
    this.#shape = [time, 6];
  }

  #add(shape: readonly number[]): void {
    const constant = this.#float(shape, 0.5);
    this.#node("Add", this.#chance(0.3) ? [constant, this.#now] : [this.#now, constant]);
  }

  #elementwise(): void {
    const last = this.#shape.at(-1)!;
    const channel = [this.#shape[0]!, ...this.#shape.slice(1).map(() => 1)];
    const before = this.#now;
    this.#pick(
      () => this.#node("Relu", [before]),
      () => this.#node("Relu", [before]),
      () => this.#node("Clip", [before, this.#float([], 0, -0.5), this.#float([], 0, 1.5)]),
      () => this.#node("Clip", [before, this.#float([], 0, 0), this.#float([], 0, 6)]),
      () => this.#node("LeakyRelu", [before], "alpha = 0.1"),
      () => this.#node("Sigmoid", [before]),
      () => this.#node("Tanh", [before]),
      () => this.#node("HardSwish", [before]),
      () => this.#node("Gelu", [before]),
      () => this.#node("PRelu", [before, this.#float(channel, 0.1, 0.2)]),
      () => this.#node("Mul", [before, this.#float(this.#pick([last], channel, [], [1]), 0.3, 1)]),
      () => this.#node("Add", [before, this.#float(this.#pick([last], channel, [], [1]), 0.5)]),
      () => this.#node("Sub", [this.#float([], 0, 1), before]),
      () => this.#node("Div", [before, this.#float([last], 0.1, 2)]),
      () => {
        this.#node("Sigmoid", [before]);
        this.#node("Mul", [before, this.#now]);
      },
      () => {
        this.#node("Tanh", [before]);
        this.#node("Add", [before, this.#now]);
      },
      () =>
        this.#node("LayerNormalization", [before, this.#float([last], 0.2, 1), this.#float([last], 0.2)], "axis = -1"),
    )();
  }

  #move(): void {
    const rank = this.#shape.length;
    const [channels = 1, ...lengths] = this.#shape;
    const before = this.#now;
    const kept = [...this.#shape];
    const choices: (() => void)[] = [
      () => {
        this.#node("Flatten", [before], "axis = 1");
        this.#shape = [sizeOf(kept)];
      },
      () => {
        this.#node("Concat", [before, before], "axis = 1");
        this.#shape = [2 * channels, ...lengths];
      },
      () => {
        this.#node("Slice", [before, this.#ints([0]), this.#ints([Math.max(1, channels - 1)]), this.#ints([1])]);
        this.#shape = [Math.max(1, channels - 1), ...lengths];
      },
      () => {
        const pads = [0, ...kept.map((_, i) => (i === rank - 1 ? 1 : 0)), 0, ...kept.map(() => 0)];
        const value = this.#pick([], [this.#float([], 0, this.#pick(0, -1.5, 0.5))]);
        this.#node("Pad", [before, this.#ints(pads), ...value]);
        this.#shape = [...kept.slice(0, -1), kept.at(-1)! + 1];
      },
    ];
    if (rank === 2) {
      choices.push(() => {
        this.#node("Transpose", [before], "perm = [0,2,1]");
        this.#shape = [kept[1]!, kept[0]!];
      });
    }
    if (rank >= 2 && rank <= 3) {
      const pooled = (op: string) => () => {
        if (lengths.some((n) => n < 2)) return;
        this.#node(op, [before], `kernel_shape = [${lengths.map(() => 2)}], strides = [${lengths.map(() => 2)}]`);
        this.#shape = [channels, ...lengths.map((n) => Math.floor((n - 2) / 2) + 1)];
      };
      choices.push(pooled("MaxPool"), pooled("AveragePool"), () => {
        this.#node("GlobalAveragePool", [before]);
        this.#node("Flatten", [this.#now], "axis = 1");
        this.#shape = [channels];
      });
    }
    // What is too large to go on with is flattened away by an average.
    if (sizeOf(kept) > 2000) {
      this.#node("ReduceMean", [before, this.#ints([-1])], "keepdims = 0");
      this.#shape = kept.slice(0, -1);
    } else this.#pick(...choices)();
  }
}
