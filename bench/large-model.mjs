/**
 * A model of 3 GB with external data is inspected, rewritten and cut, each in a process of its own whose peak memory is
 * measured; then one of 1.6 GB is quantized, with external data and as a single file. Run `npm run build` first, then
 * `node bench/large-model.mjs [--gigabytes 3] [--quantize 1.6] [--only files|quantize]`; needs twice that on disk.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeNpy } from "../dist/data/inner-files.js";
import { writeModelFile } from "../dist/formats/inner-node.js";
import { addNode, Graph, Model, tensorType } from "../dist/ir/inner.js";
import { Tensor } from "../dist/tensor/inner.js";

const { values: options } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "3" },
    quantize: { type: "string", default: "1.6" },
    only: { type: "string" },
    cli: { type: "string" },
  },
});
const cli = options.cli ?? join(dirname(fileURLToPath(import.meta.url)), "../dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "avocet-large-"));
const width = 4096;
const layersOf = (gigabytes) => Math.round((Number(gigabytes) * 1e9) / (width * width * 4));

/** Evenly spread numbers that keep the size of what flows: Marsaglia's xorshift, so that the same layer is the same each time. */
function weightsOf(layer) {
  const data = new Float32Array(width * width);
  const span = Math.sqrt(6 / width);
  let state = (layer + 1) * 2654435761;
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[i] = (state / 2 ** 31) * span;
  }
  return data;
}

/** Layers of 64 MB, written through lazy tensors so that this process stays small too. */
function make(path, layers, externalData) {
  const graph = new Graph("large");
  let x = graph.addInput("x", tensorType("float32", ["N", width]));
  for (let i = 0; i < layers; i++) {
    const weights = graph.addInitializer(
      `w${i}`,
      Tensor.lazy("float32", [width, width], () => weightsOf(i)),
    );
    const bias = graph.addInitializer(`b${i}`, Tensor.float32([width], new Float32Array(width)));
    x = addNode(graph, "Relu", [
      addNode(graph, "Add", [addNode(graph, "MatMul", [x, weights]).output, bias]).output,
    ]).output;
  }
  x.type = tensorType("float32", ["N", width]);
  graph.addOutput(x);
  writeModelFile(new Model(graph, [["", 17]]), path, { externalData });
}

// Peak memory is told by the processes themselves, when they end: the one that does the work, and the one that watches over it.
const watched = `process.on("exit", () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const line = maxRSS + " " + (userCPUTime + systemCPUTime) / 1e6 + "\\n";
  require("node:fs").appendFileSync(process.env.AVOCET_PEAK, line);
})`;

function measure(title, args, bytes) {
  const peak = join(folder, "peak");
  const preload = join(folder, "watch.cjs");
  writeFileSync(preload, watched);
  writeFileSync(peak, "");
  const start = performance.now();
  const done = spawnSync(process.execPath, ["--require", preload, cli, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    env: { ...process.env, AVOCET_PEAK: peak },
  });
  const seconds = (performance.now() - start) / 1000;
  if (done.status !== 0) throw new Error(`${title} failed: ${done.stdout}`);
  const told = readFileSync(peak, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  const kilobytes = Math.max(...told.map(([most]) => most));
  const processor = told.reduce((sum, [, used]) => sum + used, 0);
  const share = bytes === undefined ? "" : ` ${((kilobytes * 1024) / bytes).toFixed(2)} × |`;
  console.log(
    `| ${title} | ${seconds.toFixed(1)} | ${processor.toFixed(1)} | ${Math.round(kilobytes / 1024)} |${share}`,
  );
  return done.stdout;
}

function files() {
  const layers = layersOf(options.gigabytes);
  const source = join(folder, "large.onnx");
  make(source, layers, "always");
  const { bytes } = JSON.parse(
    spawnSync(process.execPath, [cli, "inspect", source, "--json"], { encoding: "utf8" }).stdout,
  );
  console.log(
    `${layers} layers, ${bytes} bytes, ${statSync(source).size} of them in the model file; Node ${process.version}\n`,
  );
  console.log("| command | seconds | of the processor | peak RSS, MB |\n| --- | --- | --- | --- |");
  measure("--version (Node and the command line alone)", ["--version"]);
  measure("inspect", ["inspect", source, "--json"]);
  measure("print", ["print", source, "-o", join(folder, "large.txt")]);
  measure("convert: all weights rewritten", [
    "convert",
    source,
    "-o",
    join(folder, "copy.onnx"),
    "--external",
    "always",
  ]);
  measure("diff with the copy: all weights compared", ["diff", source, join(folder, "copy.onnx"), "--expect-equal"]);
  for (const name of readdirSync(folder)) if (name.startsWith("copy")) rmSync(join(folder, name));
  measure("upgrade to opset 21: all weights rewritten", ["upgrade", source, "-o", join(folder, "new.onnx")]);
  empty();
}

/** Calibration with 64 rows, judging included. */
function quantize() {
  const layers = layersOf(options.quantize);
  const rows = Float32Array.from({ length: 64 * width }, (_, i) => Math.sin(i * i));
  console.log(
    `\n${layers} layers quantized\n\n| model | seconds | of the processor | peak RSS, MB | of the model |\n| --- | --- | --- | --- | --- |`,
  );
  for (const [title, externalData] of [
    ["with external data", "always"],
    ["in a single file", "never"],
  ]) {
    const source = join(folder, "large.onnx");
    make(source, layers, externalData);
    writeFileSync(join(folder, "rows.npy"), writeNpy(Tensor.float32([64, width], rows)));
    const output = ["--preset", "fast", "-o", join(folder, "quantized"), "--quiet", "--json"];
    measure(title, ["quantize", source, "--data", join(folder, "rows.npy"), ...output], layers * width * width * 4);
    empty();
  }
}

function empty() {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

try {
  if (options.only !== "quantize") files();
  if (options.only !== "files") quantize();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
