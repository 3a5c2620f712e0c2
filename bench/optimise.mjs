/**
 * What `normalise` and `optimise` leave of real models, and how long they take, next to onnxsim. Run `npm run build`
 * first, then `node bench/optimise.mjs [--onnxsim /path/to/python]` with a Python that has onnxsim installed. Seconds
 * are those of the work alone, after a first run that warms up; both sides fold constants with ONNX Runtime.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readModelFile } from "../dist/formats/inner-node.js";
import { normalise, optimise } from "../dist/passes/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
const { values: options } = parseArgs({ options: { onnxsim: { type: "string" } } });
const models = [
  "mnist/mnist-8.onnx",
  "resnet-cifar10-akamaster/resnet20.onnx",
  "resnet-cifar10-akamaster/resnet56.onnx",
  "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
  "espnet-camvid/espnet_camvid.onnx",
  "fastestdet-coco/FastestDet.onnx",
  "dtln-speech-enhancement/model_2.onnx",
  "basic-pitch/nmp.onnx",
  "llama-stories260k/stories260k_T256.onnx",
];

const script = `
import json, sys, time, onnx, onnxsim
model = onnx.load(sys.argv[1])
onnxsim.simplify(model)
start = time.perf_counter()
done, _ = onnxsim.simplify(model)
print(json.dumps([len(done.graph.node), time.perf_counter() - start]))
`;

const runtime = await openRuntime();

async function ours(path, pass) {
  let result;
  for (let round = 0; round < 2; round++) {
    const model = readModelFile(path);
    const start = performance.now();
    await pass(model, { runtime });
    result = [model.graph.nodeCount, (performance.now() - start) / 1000];
  }
  return result;
}

function onnxsim(path) {
  if (!options.onnxsim) return undefined;
  const output = execFileSync(options.onnxsim, ["-c", script, path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1));
}

const cell = (result) => (result ? `${result[0]} | ${result[1].toFixed(3)}` : " | ");
console.log("| model | nodes | normalise | s | optimise | s | onnxsim | s |");
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const name of models) {
  const path = join(fixtures, name);
  if (!existsSync(path)) continue;
  const before = readModelFile(path).graph.nodeCount;
  const cells = [await ours(path, normalise), await ours(path, optimise), onnxsim(path)].map(cell);
  console.log(`| ${basename(name, ".onnx")} | ${before} | ${cells.join(" | ")} |`);
}
