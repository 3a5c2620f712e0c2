/**
 * The matrix: grid of weights × grid of activations × granularity × form × target, on one network of every kind of layer. Each file is opened and
 * run in stock sessions of ort-node and of ort-web (wasm), and held against its simulation (ort-node without optimisation); or placement has
 * refused it, and the table says why. Run `npm run build` first, then
 *
 *   node bench/matrix.mjs [--files FOLDER] [--every N]
 *
 * Rows go to bench/results/matrix.md. With --files one file of every row is kept, for `python tools/check_written.py FOLDER`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Random } from "../dist/base/inner.js";
import { writeModelFile } from "../dist/formats/inner-node.js";
import { cloneModel, parseModel } from "../dist/ir/inner.js";
import { builtinTarget, encodeObserved, lower, makeObserver, place } from "../dist/quant/inner.js";
import { parseRecipe, placeChoices } from "../dist/recipe/inner.js";
import { openRuntime, traceShapes } from "../dist/runtime/inner.js";
import { sizeOf, Tensor } from "../dist/tensor/inner.js";
import { root } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({
  options: { files: { type: "string" }, every: { type: "string", default: "1" } },
});

/** Each kind of layer has an output of its own. */
const kinds = {
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
const feeds = Object.fromEntries(
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
const node = await openRuntime("ort-node");
const web = await openRuntime("ort-web");
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
const targets = [
  "ort-cpu",
  "ort-web-wasm",
  "ort-web-webgpu",
  "tensorrt",
  "openvino",
  "aimet-default",
  "htp-v73",
  "enpu-v6",
];
const all = [
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

/** --every N takes each N-th row: a sample of the matrix. */
const every = Number(flags.every);
const rows = all.filter((_, i) => i % every === 0);

/** Where the simulation and a stock session may differ: kernels add in another order, and what lies next to the middle of two steps goes to either. */
const fine = 1e-4;

async function run(runtime, file, options = {}) {
  const session = await runtime.open(file, { threads: 1, ...options });
  try {
    return await session.run(feeds);
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

/** The share of elements of each kind that differ by more than `fine` of the range, and the largest difference. */
function apart(a, b) {
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

const reasons = new Map();
const reasonOf = (text) => {
  const short = text.replace(/\s+/g, " ").slice(0, 220);
  if (!reasons.has(short)) reasons.set(short, reasons.size + 1);
  return `refused ${reasons.get(short)}`;
};

async function cell(row, target) {
  let file;
  try {
    const recipe = parseRecipe({
      target,
      ...Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)),
    });
    const plan = place(model, builtinTarget(target), { shapes, ...placeChoices(recipe) });
    file = lower(model, encodeObserved(model, plan, observers, "minmax")).model;
  } catch (error) {
    if (!error.code) throw error;
    return { text: reasonOf(`${error.code}: ${error.message}${error.detail?.hint ? ` (${error.detail.hint})` : ""}`) };
  }
  const parts = [];
  let simulated;
  try {
    simulated = await run(node, file, { optimization: "off" });
  } catch (error) {
    return { text: `**simulation does not run**: ${error.message.slice(0, 120)}`, fault: true };
  }
  let fault = false;
  for (const [name, runtime, options] of [
    ["node", node, { exactProducts: true }],
    ["web", web, {}],
  ]) {
    try {
      const { worst, kind, share } = apart(simulated, await run(runtime, file, options));
      if (share === 0) parts.push(`${name} =`);
      else {
        parts.push(`${name} ${(100 * share).toFixed(0)} % of ${kind} by ${worst.toExponential(0)}`);
        if (share > 0.02) fault = true;
      }
    } catch (error) {
      parts.push(`**${name}**: ${error.message.slice(0, 120)}`);
      fault = true;
    }
  }
  return { text: parts.join(", ") === "node =, web =" ? "=" : parts.join(", "), file, fault };
}

const start = performance.now();
const lines = [];
const counts = { equal: 0, near: 0, refused: 0, other: 0 };
for (const [i, row] of rows.entries()) {
  const cells = [];
  for (const target of targets) {
    const made = await cell(row, target);
    cells.push(made.text);
    if (made.text === "=") counts.equal++;
    else if (made.text.startsWith("refused")) counts.refused++;
    else counts[made.fault ? "other" : "near"]++;
    if (flags.files && made.file && (target === "ort-cpu" || i % targets.length === targets.indexOf(target))) {
      mkdirSync(flags.files, { recursive: true });
      await writeModelFile(made.file, join(flags.files, `${i}.${target}.onnx`));
    }
  }
  const said = [
    row.form,
    row.weights ?? "as the form",
    row.activations ?? "as target or form",
    row.granularity ?? "as the target",
    ...(row.ports ? [`ports ${row.ports}`] : []),
  ];
  lines.push(`| ${said.slice(0, 4).join(" | ")}${row.ports ? `, ports ${row.ports}` : ""} | ${cells.join(" | ")} |`);
}
const text = `# Grids × granularities × forms × targets

\`node bench/matrix.mjs\`, ${node.version} of ort-node and ${web.version} of ort-web (wasm), ${((performance.now() - start) / 1000).toFixed(0)} s. One network with ${Object.keys(kinds).join(", ")}
layers is placed, calibrated by min-max, lowered, opened and run in both runtimes. "=": both stock sessions give what the simulation (ort-node without
optimisation) gives, within ${fine} of the range of each output. Else the share of elements beyond that of the worst kind, and the largest difference: elements next to the
middle of two steps, which kernels decide otherwise. MatMul in ort-node is asked for exact products (\`exactProducts\`).
What differs is Gemm with a float bias on coarse weights: a stock session rounds that bias to the accumulator's grid, which is one step of the
output, 1/255. WebGPU was not run here: its column says what placement for it takes, opened on CPU and wasm.

${counts.equal} equal, ${counts.near} equal but for at most 2 % of a kind's elements, ${counts.other} others, ${counts.refused} refused before any work.

| form | weights | activations | granularity | ${targets.join(" | ")} |
| --- | --- | --- | --- | ${targets.map(() => "---").join(" | ")} |
${lines.join("\n")}

## Why it is refused

${[...reasons].map(([reason, number]) => `${number}. ${reason}`).join("\n")}
`;
writeFileSync(join(root, "bench", "results", "matrix.md"), text);
console.log(JSON.stringify(counts), `${((performance.now() - start) / 1000).toFixed(0)} s`);
