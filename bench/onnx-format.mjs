/**
 * Reading and writing a 100 MB ONNX model next to plain file copies. Run `npm run build` first, then
 * `node bench/onnx-format.mjs`. Times are medians of nine rounds, the candidates taking turns.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { addNode, Graph, Model, tensorType } from "../dist/ir/inner.js";
import { Tensor } from "../dist/tensor/inner.js";

const folder = mkdtempSync(join(tmpdir(), "avocet-bench-"));
const source = join(folder, "model.onnx");
const target = join(folder, "copy.onnx");

const graph = new Graph("chain");
let x = graph.addInput("x", tensorType("float32", [1, 1024]));
for (let i = 0; i < 25; i++) {
  const weights = graph.addInitializer(`w${i}`, Tensor.float32([1024, 1024], new Float32Array(2 ** 20).fill(i)));
  x = addNode(graph, "MatMul", [x, weights]).output;
}
x.type = tensorType("float32", [1, 1024]);
graph.addOutput(x);
writeModelFile(new Model(graph, [["", 21]]), source);

const candidates = {
  "copy by the system": () => copyFileSync(source, target),
  "readFile, writeFile": () => writeFileSync(target, readFileSync(source)),
  readFile: () => readFileSync(source),
  readModelFile: () => readModelFile(source),
  "readModelFile, writeModelFile": () => writeModelFile(readModelFile(source), target),
  "the same, external data": () => writeModelFile(readModelFile(source), target, { externalData: "always" }),
};
const times = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
for (let round = 0; round < 9; round++) {
  for (const [name, run] of Object.entries(candidates)) {
    const start = performance.now();
    run();
    times[name].push(performance.now() - start);
  }
}
console.log(`${statSync(source).size} bytes, peak RSS ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
for (const [name, list] of Object.entries(times)) {
  console.log(
    `${list
      .sort((a, b) => a - b)[4]
      .toFixed(1)
      .padStart(8)} ms  ${name}`,
  );
}
rmSync(folder, { recursive: true });
