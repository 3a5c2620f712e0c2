/**
 * What an operator costs in float and on integers, on ort-node and on WebAssembly in Node, one thread: microseconds of one operator amid
 * others of its kind, and what quantizing and dequantizing its output takes. Placement follows from it: next to integers an operator runs in
 * float where that and both quantizers cost less than the integer kernel. Run `npm run build` first, then
 *
 *   node bench/kernels.mjs [NAME …] [--seconds 1]
 *
 * An operator's time is the difference between chains of six and of two, a fourth of it, so that the ends of a graph do not count. The
 * fastest of interleaved rounds. Rows go to bench/results/kernels.md.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { openRuntime, parseModel, Tensor } from "avocet";
import { root } from "./accuracy-tasks.mjs";

// WebAssembly is compiled well at once: how soon V8 would come to it depends on what else the machine does.
setFlagsFromString("--no-liftoff");

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "1" } },
});

/** Shape, constants and the operator, from x to y; what it returns has the shape that it takes. `w`: an int8 weight. */
const conv = (shape, w, attributes) => ({ shape, weight: w, op: (x, y) => `${y} = Conv <${attributes}> (${x}, w)` });
const plain = (shape, op, constants = "") => ({ shape, constants, op });
const same3 = "pads = [1,1,1,1]";
const cases = {
  "Conv 1×1, 32 channels, 28²": conv([1, 32, 28, 28], [32, 32, 1, 1], "kernel_shape = [1,1]"),
  "Conv 1×1, 256 channels, 7²": conv([1, 256, 7, 7], [256, 256, 1, 1], "kernel_shape = [1,1]"),
  "Conv 3×3, 16 channels, 32²": conv([1, 16, 32, 32], [16, 16, 3, 3], same3),
  "Conv 3×3, 64 channels, 14²": conv([1, 64, 14, 14], [64, 64, 3, 3], same3),
  "Conv 3×3, 4 channels, 56²": conv([1, 4, 56, 56], [4, 4, 3, 3], same3),
  "Conv 3×3, 1 channel, 56²": conv([1, 1, 56, 56], [1, 1, 3, 3], same3),
  "Conv 3×3, 2 channels, 56²": conv([1, 2, 56, 56], [2, 2, 3, 3], same3),
  "Conv 3×3, 3 channels, 56²": conv([1, 3, 56, 56], [3, 3, 3, 3], same3),
  "Conv 3×3, 8 channels, 28²": conv([1, 8, 28, 28], [8, 8, 3, 3], same3),
  "Conv 1×255, 1 channel, 1024": conv([1, 1, 1, 1024], [1, 1, 1, 255], "pads = [0,127,0,127]"),
  "depthwise 3×3, 16 channels, 28²": conv([1, 16, 28, 28], [16, 1, 3, 3], `group = 16, ${same3}`),
  "depthwise 3×3, 96 channels, 14²": conv([1, 96, 14, 14], [96, 1, 3, 3], `group = 96, ${same3}`),
  "depthwise 3×3, 384 channels, 7²": conv([1, 384, 7, 7], [384, 1, 3, 3], `group = 384, ${same3}`),
  "depthwise 5×5, 96 channels, 11²": conv([1, 96, 11, 11], [96, 1, 5, 5], "group = 96, pads = [2,2,2,2]"),
  "MaxPool 3×3, 24 channels, 44²": plain(
    [1, 24, 44, 44],
    (x, y) => `${y} = MaxPool <kernel_shape = [3,3], ${same3}> (${x})`,
  ),
  "AveragePool 3×3, 48 channels, 22²": plain(
    [1, 48, 22, 22],
    (x, y) => `${y} = AveragePool <kernel_shape = [3,3], ${same3}> (${x})`,
  ),
  "Add, 64 channels, 14²": plain([1, 64, 14, 14], (x, y) => `${y} = Add(${x}, ${x})`),
  "Mul, 64 channels, 14²": plain([1, 64, 14, 14], (x, y) => `${y} = Mul(${x}, ${x})`),
  "Concat of two halves, 64 channels, 14²": plain(
    [1, 64, 14, 14],
    (x, y) => `${y}a, ${y}b = Split <axis = 1> (${x}, halves) ${y} = Concat <axis = 1> (${y}b, ${y}a)`,
    ", int64[2] halves = {32, 32}",
  ),
  "Transpose, 64 channels, 14²": plain([1, 64, 14, 14], (x, y) => `${y} = Transpose <perm = [0,1,3,2]> (${x})`),
  "LeakyRelu, 64 channels, 14²": plain([1, 64, 14, 14], (x, y) => `${y} = LeakyRelu <alpha = 0.1> (${x})`),
  "Sigmoid, 64 channels, 14²": plain([1, 64, 14, 14], (x, y) => `${y} = Sigmoid(${x})`),
  "Softmax, 16 of 1000": plain([16, 1000], (x, y) => `${y} = Softmax <axis = -1> (${x})`),
  "MatMul, 16 × 256 × 256": { shape: [16, 256], weight: [256, 256], op: (x, y) => `${y} = MatMul(${x}, w)` },
};

function chain({ shape, weight, constants = "", op }, length, integers) {
  const type = `float[${shape.join(",")}]`;
  const lines = [];
  const pair = (from, to) => `${to}q = QuantizeLinear(${from}, s, z) ${to} = DequantizeLinear(${to}q, s, z)`;
  if (integers && weight) lines.push("w = DequantizeLinear(wq, ws, wz)");
  if (integers) lines.push(pair("x", "v0"));
  else lines.push("v0 = Neg(x)");
  for (let i = 1; i <= length; i++) {
    lines.push(op(`v${i - 1}`, integers ? `u${i}` : `v${i}`));
    if (integers) lines.push(pair(`u${i}`, `v${i}`));
  }
  lines.push(`y = Identity(v${length})`);
  const kept = !weight
    ? ""
    : integers
      ? `, int8[${weight}] wq, float ws = {0.01}, int8 wz = {0}`
      : `, float[${weight}] w`;
  const text = `<ir_version: 8, opset_import: ["" : 17]> g (${type} x) => (${type} y) <float s = {0.05}, uint8 z = {128}${constants}${kept}> {
    ${lines.join("\n    ")} }`;
  return parseModel(text, { seed: 5 });
}

/** The fastest run of each model, milliseconds, in turn. */
async function race(runtime, models, feeds) {
  const sessions = [];
  for (const model of models) sessions.push(await runtime.open(model));
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  const end = performance.now() + 1000 * Number(flags.seconds);
  for (let round = 0; round < 8 || performance.now() < end; round++) {
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      best[i] = Math.min(best[i], performance.now() - start);
    }
  }
  for (const session of sessions) await session[Symbol.asyncDispose]();
  return best;
}

const head = `# Operators in float and on integers

\`node bench/kernels.mjs\`: microseconds of one operator amid others of its kind; "quantizers" is what a QuantizeLinear and a DequantizeLinear of as many numbers
take together. Beside integers float is faster where "float" and "quantizers" together are less than "integers" (bold).

`;
const file = join(root, "bench", "results", "kernels.md");
const rows = new Map(
  existsSync(file)
    ? [...readFileSync(file, "utf8").matchAll(/^\| ([^|]+) \| (ort-\w+) \|.*$/gm)].map(([line, name, runtime]) => [
        `${name} ${runtime}`,
        line,
      ])
    : [],
);
for (const [name, one] of Object.entries(cases)) {
  if (names.length > 0 && !names.some((part) => name.includes(part))) continue;
  const size = one.shape.reduce((a, b) => a * b, 1);
  const feeds = {
    x: Tensor.float32(
      one.shape,
      Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    ),
  };
  // Between two quantizers of other scales nothing but they themselves run.
  const quantizers = plain(one.shape, (x, y) => `${y} = Neg(${x})`);
  for (const runtime of [await openRuntime("ort-node", { threads: 1 }), await openRuntime("ort-web", { threads: 1 })]) {
    const kinds = [
      [one, false],
      [one, true],
      [quantizers, false],
      [quantizers, true],
    ];
    const models = kinds.flatMap(([of, integers]) => [chain(of, 2, integers), chain(of, 6, integers)]);
    const t = await race(runtime, models, feeds);
    const [float, integer, bare, both] = [0, 2, 4, 6].map((i) => (1000 * (t[i + 1] - t[i])) / 4);
    const pair = both - bare;
    const wins = float + pair < integer;
    const cell = (us) => us.toFixed(us < 10 ? 1 : 0);
    const line = `| ${name} | ${runtime.name} | ${cell(float)} | ${wins ? `**${cell(integer)}**` : cell(integer)} | ${cell(pair)} |`;
    rows.set(`${name} ${runtime.name}`, line);
    console.log(line);
  }
}
const machine = `Machine: ${cpus()[0].model}, one thread, Node ${process.versions.node}.\n\n| operator | runtime | float | integers | quantizers |\n| --- | --- | --: | --: | --: |\n`;
writeFileSync(file, `${head}${machine}${[...rows.values()].join("\n")}\n`);
