/**
 * Latency of one sample on ort-node and on WebAssembly in Node, float and 8-bit, one thread each, the candidates taking
 * turns in one process. Run `npm run build` first, then `node bench/runtimes.mjs [FIXTURES]` (default ../shared/fixtures
 * or AVOCET_FIXTURES; without the fixtures only the bundled example is measured).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromIterable, latencies, openRuntime, parseRecipe, quantizeModel, writeModel } from "avocet";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { firstSample } from "../dist/runtime/inner.js";
import { networkInputs } from "../examples/pictures/dataset.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const fixtures = process.argv[2] ?? process.env.AVOCET_FIXTURES ?? join(root, "../shared/fixtures");
const pictures = () => networkInputs("calibration", 60);
const tasks = [
  { name: "example", path: join(root, "examples/models/pictures.onnx"), data: fromIterable(pictures, { count: 60 }) },
];
const mobilenet = join(fixtures, "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx");
if (existsSync(mobilenet)) {
  const preprocess = JSON.parse(readFileSync(join(root, "bench/preprocess/mobilenet-v1.json"), "utf8"));
  const session = await (await openRuntime()).open(mobilenet);
  const { inputs } = session;
  await session[Symbol.asyncDispose]();
  const data = await openData(join(fixtures, "imagenet1k-sample/index.json?every=20"), { preprocess, inputs });
  tasks.push({ name: "MobileNetV1-0.25", path: mobilenet, data });
}

const runtimes = [await openRuntime("ort-node", { threads: 1 }), await openRuntime("ort-web")];
console.log("| network | | ort-node ms | wasm ms | wasm / node |\n| --- | --- | --- | --- | --- |");
const speedups = [];
for (const { name, path, data } of tasks) {
  const float = readModelFile(path);
  const { shipped } = await quantizeModel(float, data, parseRecipe({ samples: 50 }), runtimes[0]);
  const files = [writeModel(float), writeModel(shipped)];
  const sessions = [];
  for (const file of files) for (const runtime of runtimes) sessions.push(await runtime.open(file));
  const feeds = Object.values(await firstSample(data));
  const given = Object.fromEntries(sessions[0].inputs.map((input, i) => [input.name, feeds[i]]));
  const [nodeFloat, webFloat, nodeInt8, webInt8] = await latencies(sessions, given, { runs: 101 });
  for (const session of sessions) await session[Symbol.asyncDispose]();
  row(name, "float", nodeFloat, webFloat);
  row("", "8 bits", nodeInt8, webInt8);
  speedups.push(
    `${name}: 8 bits take ${(nodeInt8 / nodeFloat).toFixed(2)} × float on ort-node, ${(webInt8 / webFloat).toFixed(2)} × on wasm`,
  );
}
console.log(`\n${speedups.join("\n")}`);

/** @param {string} name @param {string} kind @param {number} node @param {number} web */
function row(name, kind, node, web) {
  console.log(`| ${name} | ${kind} | ${node.toFixed(2)} | ${web.toFixed(2)} | ${(web / node).toFixed(1)} |`);
}
