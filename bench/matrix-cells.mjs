/** The network, the rows and the columns of bench/matrix.mjs and bench/matrix-browser.mjs, and what their cells are. */
import { Random } from "../dist/base/inner.js";
import { cloneModel, parseModel } from "../dist/ir/inner.js";
import { builtinTarget, encodeObserved, lower, makeObserver, place } from "../dist/quant/inner.js";
import { parseRecipe, placeChoices } from "../dist/recipe/inner.js";
import { openRuntime, traceShapes } from "../dist/runtime/inner.js";
import { sizeOf, Tensor } from "../dist/tensor/inner.js";

/** Each kind of layer has an output of its own. */
export const kinds = {
  conv: [
    "float[2,32,5,5] conv_x",
    "float[32,32,3,3] conv_w, float[32] conv_b",
    "conv_c = Conv(conv_x, conv_w, conv_b) conv = Relu(conv_c)",
    "float[2,32,3,3] conv",
  ],
  depthwise: [
    "float[1,32,5,5] depthwise_x",
    "float[32,1,3,3] depthwise_w",
    "depthwise = Conv <group = 32> (depthwise_x, depthwise_w)",
    "float[1,32,3,3] depthwise",
  ],
  transposed: [
    "float[1,32,3,3] transposed_x",
    "float[32,8,2,2] transposed_w",
    "transposed = ConvTranspose <strides = [2,2]> (transposed_x, transposed_w)",
    "float[1,8,6,6] transposed",
  ],
  gemm: [
    "float[4,64] gemm_x",
    "float[32,64] gemm_w, float[32] gemm_b",
    "gemm = Gemm <transB = 1> (gemm_x, gemm_w, gemm_b)",
    "float[4,32] gemm",
  ],
  matmul: [
    "float[2,3,64] matmul_x",
    "float[64,32] matmul_w",
    "matmul = MatMul(matmul_x, matmul_w)",
    "float[2,3,32] matmul",
  ],
  residual: [
    "float[1,32,4,4] residual_x",
    "float[32,32,1,1] residual_w, float[32,32,1,1] residual_v",
    "residual_c = Conv(residual_x, residual_w) residual_r = Relu(residual_c) residual_d = Conv(residual_r, residual_v) residual = Add(residual_d, residual_r)",
    "float[1,32,4,4] residual",
  ],
  embedding: [
    "int64[5] embedding_x",
    "float[40,64] embedding_w",
    "embedding = Gather(embedding_w, embedding_x)",
    "float[5,64] embedding",
  ],
};
const part = (i) => Object.values(kinds).map((kind) => kind[i]);
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]> all (${part(0).join(", ")}) => (${part(3).join(", ")}) <${part(1).join(", ")}> {\n${part(2).join("\n")} }`,
  { seed: 3 },
);
const random = new Random(7);
export const feeds = Object.fromEntries(
  model.graph.inputs.map(({ name, type }) => {
    const shape = type.shape;
    if (type.dtype === "int64")
      return [
        name,
        Tensor.int64(
          shape,
          Array.from({ length: sizeOf(shape) }, () => random.integer(40)),
        ),
      ];
    return [
      name,
      Tensor.float32(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
      ),
    ];
  }),
);
export const node = await openRuntime("ort-node");
export const web = await openRuntime("ort-web");
const shapes = await traceShapes(model, node, feeds);
const observers = new Map();
const watched = cloneModel(model);
const computed = [...watched.graph.nodes].flatMap(({ outputs }) => outputs);
watched.graph.setOutputs(computed.filter(({ name }) => shapes.get(name)?.dtype === "float32"));
const grids = [
  "int2",
  "int3",
  "int4",
  "int8",
  "uint8",
  "int12",
  "int16",
  "float16",
  "bfloat16",
  "float8e4m3fn",
  "float8e5m2",
  "float4e2m1",
  "mxfp4",
  "nvfp4",
  "int2half",
];
const activations = [undefined, "uint16", "float8e4m3fn", "float32"];
const granularities = ["tensor", "channel", "block:32", "lpbq:32"];
export const targets = [
  "ort-cpu",
  "ort-web-wasm",
  "ort-web-webgpu",
  "tensorrt",
  "openvino",
  "aimet-default",
  "htp-v73",
  "enpu-v6",
];
export const rows = [
  ...grids.flatMap((weights) =>
    activations.flatMap((one) =>
      granularities.map((granularity) => ({ form: "qdq", weights, activations: one, granularity })),
    ),
  ),
  ...["int2", "int4", "int8"].flatMap((weights) =>
    ["block:16", "block:32", "lpbq:32"].flatMap((granularity) =>
      ["weight-only", "weight-only+fp16"].map((form) => ({ form, weights, granularity })),
    ),
  ),
  ...["tensor", "channel"].flatMap((granularity) =>
    ["dynamic", "dynamic+fp16"].map((form) => ({ form, weights: "int8", granularity })),
  ),
  { form: "fp16" },
  { form: "fp16", ports: "float16" },
  { form: "bf16" },
  { form: "qdq+fp16" },
];

/** Where the simulation and a stock session may differ: kernels add in another order, and what lies next to the middle of two steps goes to either. */
export const fine = 1e-4;

export async function run(runtime, file, options = {}) {
  const session = await runtime.open(file, { threads: 1, ...options });
  try {
    return await session.run(feeds);
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

/** The share of elements of each kind that differ by more than `fine` of the range, and the largest difference. */
export function apart(a, b) {
  let [worst, kind, share] = [0, "", 0];
  for (const name of Object.keys(kinds)) {
    const [x, y] = [a[name].numbers(), b[name].numbers()];
    const range = Math.max(...x) - Math.min(...x) || 1;
    const off = x.map((v, i) => Math.abs(v - y[i]) / range);
    const part = off.filter((d) => !(d <= fine)).length / off.length;
    if (part > share || Number.isNaN(part)) [share, kind] = [part, name];
    worst = Math.max(worst, ...off);
  }
  return { worst, kind, share };
}

for (const [name, tensor] of Object.entries({ ...feeds, ...(await run(node, watched)) })) {
  if (tensor.dtype !== "float32") continue;
  const observer = makeObserver("minmax");
  observer.see(tensor.floats());
  observers.set(name, observer);
}

/** The names of a row's choices, which no other row has. */
export const keyOf = (row) =>
  [
    row.form,
    row.weights ?? "as the form",
    row.activations ?? "as target or form",
    row.granularity ?? (row.ports ? `as the target, ports ${row.ports}` : "as the target"),
  ].join(" | ");

/** The file of a cell, or why placement refuses it. */
export function fileOf(row, target) {
  try {
    const chosen = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
    const recipe = parseRecipe({ target, ...chosen });
    const plan = place(model, builtinTarget(target), { shapes, ...placeChoices(recipe) });
    return { file: lower(model, encodeObserved(model, plan, observers, "minmax")).model };
  } catch (error) {
    if (!error.code) throw error;
    const hint = error.detail?.hint ? ` (${error.detail.hint})` : "";
    return { refused: `${error.code}: ${error.message}${hint}`.replace(/\s+/g, " ").slice(0, 220) };
  }
}

/** What the outputs of a session are next to those of the simulation: "=", or how many elements differ; `fault` where too many do. */
export function said(name, simulated, found) {
  const { worst, kind, share } = apart(simulated, found);
  if (share === 0) return { text: `${name} =`, fault: false };
  return {
    text: `${name} ${(100 * share).toFixed(0)} % of ${kind} by ${worst.toExponential(0)}`,
    fault: share > 0.02,
  };
}
