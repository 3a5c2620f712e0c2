/** Small transformers for tests: blocks of attention and an MLP in front of a head, with random weights. */
import { Random } from "../src/base/inner.ts";
import { type Model, parseModel } from "../src/ir/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";

export interface NetOptions {
  readonly norm?: "layer" | "rms";
  /** Where normalizations stand: before a block, or behind its addition. Default "pre". */
  readonly order?: "pre" | "post";
  /** Whether the head is the table of the embedding. Default false. */
  readonly tied?: boolean;
  /** Whether queries, keys and values are one layer. Default false. */
  readonly joined?: boolean;
  /** Whether values leave the model. Default false. */
  readonly shown?: boolean;
  readonly blocks?: number;
}

export const width = 12;
const hidden = 24;
const [heads, size, vocabulary, length] = [2, 6, 20, 5];

/** ids [N, 5] → logits [N, 5, 20]. */
export function transformerNet(options: NetOptions = {}): Model {
  const { norm = "rms", order = "pre", tied = false, joined = false, shown = false, blocks = 2 } = options;
  const weights: string[] = [`float[${vocabulary},${width}] table`, `float[1,${length},${width}] places`];
  const lines = ["e = Gather(table, ids)", "x0 = Add(e, places)"];
  const product = (y: string, x: string, name: string, from: number, to: number) => {
    weights.push(`float[${from},${to}] ${name}_w`, `float[${to}] ${name}_b`);
    lines.push(`${y}_p = MatMul(${x}, ${name}_w)`, `${y} = Add(${y}_p, ${name}_b)`);
  };
  const normal = (y: string, x: string) => {
    weights.push(`float[${width}] ${y}_g`);
    if (norm === "layer") {
      weights.push(`float[${width}] ${y}_b`);
      lines.push(`${y} = LayerNormalization <axis = -1> (${x}, ${y}_g, ${y}_b)`);
    } else {
      lines.push(`${y}_2 = Mul(${x}, ${x})`, `${y}_m = ReduceMean(${y}_2, last)`, `${y}_a = Add(${y}_m, epsilon)`);
      lines.push(`${y}_s = Sqrt(${y}_a)`, `${y}_n = Div(${x}, ${y}_s)`, `${y} = Mul(${y}_n, ${y}_g)`);
    }
  };
  for (let i = 0; i < blocks; i++) {
    const pre = order === "pre";
    if (pre) normal(`n${i}`, `x${i}`);
    const input = pre ? `n${i}` : `x${i}`;
    if (joined) {
      product(`qkv${i}`, input, `qkv${i}`, width, 3 * width);
      lines.push(`q${i}, k${i}, v${i} = Split <axis = -1, num_outputs = 3> (qkv${i})`);
    } else for (const part of ["q", "k", "v"]) product(`${part}${i}`, input, `${part}${i}`, width, width);
    for (const [part, perm] of [
      ["q", "0,2,1,3"],
      ["k", "0,2,3,1"],
      ["v", "0,2,1,3"],
    ] as const) {
      lines.push(`${part}h${i} = Reshape(${part}${i}, split)`);
      lines.push(`${part}t${i} = Transpose <perm = [${perm}]> (${part}h${i})`);
    }
    lines.push(`s${i} = MatMul(qt${i}, kt${i})`, `f${i} = Div(s${i}, root)`, `a${i} = Softmax(f${i})`);
    lines.push(`o${i} = MatMul(a${i}, vt${i})`, `u${i} = Transpose <perm = [0,2,1,3]> (o${i})`);
    lines.push(`j${i} = Reshape(u${i}, join)`);
    product(`w${i}`, `j${i}`, `out${i}`, width, width);
    lines.push(`y${i} = Add(x${i}, w${i})`);
    normal(`m${i}`, `y${i}`);
    product(`up${i}`, `m${i}`, `up${i}`, width, hidden);
    lines.push(`act${i} = Relu(up${i})`);
    product(`d${i}`, `act${i}`, `down${i}`, hidden, width);
    lines.push(`x${i + 1}${pre ? "" : "_sum"} = Add(${pre ? `y${i}` : `m${i}`}, d${i})`);
    if (!pre) normal(`x${i + 1}`, `x${i + 1}_sum`);
  }
  if (order === "pre") normal("last", `x${blocks}`);
  const last = order === "pre" ? "last" : `x${blocks}`;
  if (tied) lines.push("turned = Transpose <perm = [1,0]> (table)", `logits = MatMul(${last}, turned)`);
  else {
    weights.push(`float[${width},${vocabulary}] head`);
    lines.push(`logits = MatMul(${last}, head)`);
  }
  const constants = `int64[1] last_axis = {-1}, int64[4] split = {0,0,${heads},${size}}, int64[3] join = {0,0,${width}},
    float epsilon = {0.00001}, float root = {2.449}`;
  const outputs = `float[N,${length},${vocabulary}] logits${shown ? `, float[N,${heads},${length},${size}] vt0` : ""}`;
  const text = `<ir_version: 10, opset_import: ["" : 21]>
    net (int64[N,${length}] ids) => (${outputs}) <${constants}, ${weights.join(", ")}> { ${lines.join("\n").replaceAll("last)", "last_axis)")} }`;
  return parseModel(text, { seed: 7 });
}

export const tokens = (seed: number): Tensor => {
  const random = new Random(seed);
  return Tensor.int64(
    [2, length],
    Array.from({ length: 2 * length }, () => random.integer(vocabulary)),
  );
};
