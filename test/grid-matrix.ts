/**
 * What the tests of grids share: a model with every kind of operator, targets, and the comparison of a file in both runtimes with the
 * oracle in float64.
 */
import { type Model, parseModel } from "../src/ir/inner.ts";
import {
  biasEncoding,
  biasEntry,
  builtinTarget,
  codecOf,
  encodeObserved,
  entriesByValue,
  lower,
  makeObserver,
  type Observer,
  type Plan,
  type PlanEntry,
  type Target,
  targetFile,
  type WeightGranularity,
} from "../src/quant/inner.ts";
import { parseTarget } from "../src/quant/inner-files.ts";
import { openRuntime, type Runtime, traceShapes } from "../src/runtime/inner.ts";
import { runQuantized } from "./quantized-reference.ts";
import { seededFeeds } from "./same-outputs.ts";

/** Each branch has its own input and output (`NAME_x`, `NAME`), so that one session runs them all. */
const branches: Record<string, { inputs: string; constants: string; nodes: string; output: string }> = {
  conv: {
    inputs: "float[2,8,5,5] conv_x",
    constants: "float[8,8,3,3] conv_w, float[8] conv_b",
    nodes: "conv = Conv <pads = [1,1,1,1]> (conv_x, conv_w, conv_b)",
    output: "float[2,8,5,5] conv",
  },
  relu: {
    inputs: "float[2,8,5,5] relu_x",
    constants: "float[8,8,3,3] relu_w, float[8] relu_b",
    nodes: "relu_c = Conv(relu_x, relu_w, relu_b) relu = Relu(relu_c)",
    output: "float[2,8,3,3] relu",
  },
  clip: {
    inputs: "float[2,8,4,4] clip_x",
    constants: "float[8,8,1,1] clip_w, float[8,8,1,1] clip_v, float zero = {0}, float six = {6}",
    nodes: "clip_c = Conv(clip_x, clip_w) clip_r = Clip(clip_c, zero, six) clip = Conv(clip_r, clip_v)",
    output: "float[2,8,4,4] clip",
  },
  depthwise: {
    inputs: "float[1,16,5,5] depthwise_x",
    constants: "float[16,1,3,3] depthwise_w, float[16] depthwise_b",
    nodes: "depthwise_c = Conv <group = 16> (depthwise_x, depthwise_w, depthwise_b) depthwise = Relu(depthwise_c)",
    output: "float[1,16,3,3] depthwise",
  },
  transposed: {
    inputs: "float[1,8,3,3] transposed_x",
    constants: "float[4,8,1,1] transposed_v, float[4,6,2,2] transposed_w, float[6] transposed_b",
    nodes: `transposed_c = Conv(transposed_x, transposed_v)
      transposed = ConvTranspose <strides = [2,2]> (transposed_c, transposed_w, transposed_b)`,
    output: "float[1,6,6,6] transposed",
  },
  gemm: {
    inputs: "float[4,16] gemm_x",
    constants: "float[12,16] gemm_w, float[12] gemm_b, float[12,8] gemm_v",
    nodes: `gemm_g = Gemm <transB = 1> (gemm_x, gemm_w, gemm_b) gemm_r = Relu(gemm_g) gemm = Gemm(gemm_r, gemm_v)`,
    output: "float[4,8] gemm",
  },
  right: {
    inputs: "float[2,3,16] right_x",
    constants: "float[16,8] right_w, float[8,8] right_v, float[8] right_b",
    nodes: "right_m = MatMul(right_x, right_w) right_n = MatMul(right_m, right_v) right = Add(right_n, right_b)",
    output: "float[2,3,8] right",
  },
  left: {
    inputs: "float[8,5] left_x",
    constants: "float[12,8] left_w",
    nodes: "left = MatMul(left_w, left_x)",
    output: "float[12,5] left",
  },
  residual: {
    inputs: "float[1,8,4,4] residual_x",
    constants: "float[8,8,1,1] residual_w, float[8,8,1,1] residual_v, float[4,8,1,1] residual_u",
    nodes: `residual_c = Conv(residual_x, residual_w) residual_r = Relu(residual_c) residual_d = Conv(residual_r, residual_v)
      residual_s = Add(residual_d, residual_r) residual_t = Relu(residual_s) residual = Conv(residual_t, residual_u)`,
    output: "float[1,4,4,4] residual",
  },
  constant: {
    inputs: "float[1,8,4,4] constant_x",
    constants:
      "float[8,8,1,1] constant_w, float[1,8,4,4] constant_a, float[1,8,1,1] constant_k, float[4,8,1,1] constant_u",
    nodes: `constant_c = Conv(constant_x, constant_w) constant_s = Add(constant_c, constant_a)
      constant_m = Mul(constant_s, constant_k) constant = Conv(constant_m, constant_u)`,
    output: "float[1,4,4,4] constant",
  },
  /** ort-cpu has a transposed convolution in float: it reads the number that another operator takes as integers. */
  beside: {
    inputs: "float[1,8,4,4] beside_x",
    constants: "float[4,8,1,1] beside_w, float[8,6,2,2] beside_v",
    nodes: "beside = Conv(beside_x, beside_w) other = ConvTranspose <strides = [2,2]> (beside_x, beside_v)",
    output: "float[1,4,4,4] beside, float[1,6,8,8] other",
  },
  moved: {
    inputs: "float[1,8,4,4] moved_x",
    constants: "float[8,8,1,1] moved_w, float[8,8,1,1] moved_v, float[5,16] moved_u, float[5] moved_b",
    nodes: `moved_c = Conv(moved_x, moved_w) moved_d = Conv(moved_x, moved_v) moved_k = Concat <axis = 1> (moved_c, moved_d)
      moved_p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (moved_k) moved_q = GlobalAveragePool(moved_p)
      moved_f = Flatten(moved_q) moved = Gemm <transB = 1> (moved_f, moved_u, moved_b)`,
    output: "float[1,5] moved",
  },
};

const part = (key: "inputs" | "constants" | "output", separator = ", ") =>
  Object.values(branches)
    .map((branch) => branch[key])
    .join(separator);
const text = `<ir_version: 8, opset_import: ["" : 17]> all (${part("inputs")}) => (${part("output")}) <${part("constants")}> {
  ${Object.values(branches)
    .map(({ nodes }) => nodes)
    .join("\n")} }`;

/** AIMET's own targets next to those that its configuration format can say and none of its files does. */
function variant(name: string, change: { defaults?: object; params?: object }): Target {
  const file = targetFile("aimet-default");
  return parseTarget({ ...file, ...change, defaults: { ...file.defaults, ...change.defaults } }, name);
}
const params = (symmetric: "True" | "False") => ({ is_quantized: "True", is_symmetric: symmetric });
const symmetricOutputs = { is_output_quantized: "True", is_symmetric: "True" };
export const targets: readonly Target[] = [
  builtinTarget("ort-cpu"),
  builtinTarget("aimet-default"),
  builtinTarget("htp-v73"),
  builtinTarget("enpu-v6"),
  variant("strict", { defaults: { ops: symmetricOutputs, strict_symmetric: "True" } }),
  variant("unsigned where nothing is negative", { defaults: { ops: symmetricOutputs, unsigned_symmetric: "True" } }),
  variant("asymmetric weights", { defaults: { params: params("False") } }),
];

/** AVOCET_MATRIX=full takes every pair of grids, each with every granularity: fifteen times as long. */
export const everything = process.env.AVOCET_MATRIX === "full";

export const granularities: readonly WeightGranularity[] = ["tensor", "channel", { block: 4 }];

interface Prepared {
  readonly model: Model;
  readonly shapes: Awaited<ReturnType<typeof traceShapes>>;
  readonly feeds: ReturnType<typeof seededFeeds>;
  readonly observers: ReadonlyMap<string, Observer>;
}

/** The float model once; what flows through it tells the ranges. */
async function prepare(runtime: Runtime): Promise<Prepared> {
  const model = parseModel(text, { seed: 3 });
  const feeds = seededFeeds(model);
  const none: Plan = { version: 1, target: "none", entries: [], notQuantized: [] };
  const observers = new Map<string, Observer>();
  for (const [name, { data }] of runQuantized(model, none, feeds)) {
    const observer = makeObserver("minmax");
    observer.see(Float32Array.from(data));
    observers.set(name, observer);
  }
  return { model, feeds, observers, shapes: await traceShapes(model, runtime, feeds) };
}

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };
export const prepared = await prepare(runtimes.node);

/**
 * ONNX Runtime rounds the float bias of a product of dequantized numbers to the grid of the accumulator, as integer kernels want it;
 * lowering writes those of convolutions so.
 */
function withIntegerBiases(plan: Plan, { model }: Prepared): Plan {
  const entries = entriesByValue(plan);
  const added: PlanEntry[] = [];
  for (const node of model.graph.nodes) {
    const [input, weight] = [node.input(0), node.input(1)];
    const [reader] = node.output.consumers();
    const bias = node.op !== "MatMul" ? node.input(2) : reader?.op === "Add" ? reader.input(1) : null;
    if (!bias || !["Conv", "ConvTranspose", "Gemm", "MatMul"].includes(node.op)) continue;
    const [x, w] = [entries.get(input!.name), entries.get(weight!.name)];
    if (entries.get(bias.name) || !x?.encoding || !w?.encoding || w.granularity.kind === "block") continue;
    const entry = biasEntry(node.op, bias.name, x.value, w);
    // The file has half the scale of numbers that are stored as their doubles.
    const { unit = 1 } = codecOf(w.encoding.grid) as { unit?: number };
    const stored = { ...w.encoding, scale: w.encoding.scale.map((s) => s * unit) };
    added.push({ ...entry, encoding: biasEncoding(x.encoding, stored, bias.initializer!.size) });
  }
  return { ...plan, entries: [...plan.entries, ...added] };
}

/** Branches with QLinearAdd: on coarse grids a tie is frequent. */
const addsIntegers = new Set(["residual", "constant"]);

type Numbers = ReturnType<typeof runQuantized>;

/**
 * The faults of one run against the oracle, by output: largest difference in parts of the range. Both round to the same grids, but
 * kernels add in float32 and QLinearAdd decides ties its own way: a value next to the middle of two grid points goes to either, and
 * moves what follows. So 2 % of the elements of a branch may be off, by a step of a grid in its way.
 */
function faults(found: Feeds, oracles: readonly Numbers[], tolerance: number): string[] {
  return prepared.model.graph.outputs.flatMap(({ name }) => {
    const ours = found[name]!.numbers();
    const shares = oracles.map((oracle) => {
      const { data } = oracle.get(name)!;
      const range = Math.max(...data) - Math.min(...data) || 1;
      const apart = ours.map((x, i) => Math.abs(x - data[i]!) / range);
      return [apart.filter((d) => !(d <= tolerance)).length / data.length, Math.max(...apart)] as const;
    });
    const [share, most] = shares.reduce((a, b) => (b[0] < a[0] ? b : a));
    const size = found[name]!.size;
    const few = addsIntegers.has(name) ? 0.1 : 0.02;
    return share * size <= Math.max(1, few * size)
      ? []
      : [`${name}: ${(100 * share).toFixed(0)} % differ, by ${most.toExponential(1)} of the range`];
  });
}

type Feeds = Awaited<ReturnType<Awaited<ReturnType<Runtime["open"]>>["run"]>>;

async function runIn(runtime: Runtime, model: Model, options: Parameters<Runtime["open"]>[1] = {}): Promise<Feeds> {
  await using session = await runtime.open(model, { threads: 1, ...options });
  return await session.run(prepared.feeds);
}

/**
 * What a plan without encodings computes in stock sessions of both runtimes, and simulated, against the oracle: every fault, in words. The session in
 * Node is asked for exact products: else it rounds what it multiplies with dequantized weights to 8 bits (docs/onnx-runtime.md), which next to float8 can
 * move a number to the next one, an eighth away.
 */
export async function faultsOf(plan: Plan, said: string, fine: number): Promise<string[]> {
  const { model, observers, feeds } = prepared;
  const encoded = encodeObserved(model, plan, observers, "minmax");
  const shipped = lower(model, encoded).model;
  const oracles = [
    runQuantized(model, encoded, feeds),
    runQuantized(model, withIntegerBiases(encoded, prepared), feeds),
  ];
  const runs: Record<string, [() => Promise<Feeds>, number]> = {
    "node, simulated": [() => runIn(runtimes.node, shipped, { optimization: "off" }), fine],
    "node, stock": [() => runIn(runtimes.node, shipped, { exactProducts: true }), fine],
    "web, stock": [() => runIn(runtimes.web, shipped), fine],
  };
  const found: string[] = [];
  for (const [name, [run, tolerance]] of Object.entries(runs)) {
    try {
      for (const fault of faults(await run(), oracles, tolerance)) found.push(`${name}, ${said}: ${fault}`);
    } catch (error) {
      found.push(`${name}, ${said}: ${String((error as Error).message).slice(0, 200)}`);
    }
  }
  return found;
}
