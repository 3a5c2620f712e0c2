/**
 * Graph edits per second, and how long the command line takes to start next to Node itself. Run `npm run build` first,
 * then `node bench/graph.mjs`. Medians; starts of the candidates take turns.
 */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readModel, writeModel } from "../dist/formats/inner.js";
import { addNode, check, cloneModel, Graph, Model, parseModel, printModel, tensorType } from "../dist/ir/inner.js";

const cli = join(dirname(fileURLToPath(import.meta.url)), "../dist/cli/main.js");
const count = 20_000;
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

function chain() {
  const graph = new Graph("chain");
  let x = graph.addInput("x", tensorType("float32", [1, 8]));
  for (let i = 0; i < count; i++) x = addNode(graph, "Relu", [x], {}, { output: `r${i}` }).output;
  x.type = tensorType("float32", [1, 8]);
  graph.addOutput(x);
  return new Model(graph, [["", 21]]);
}

/** Puts a node behind each node, and redirects all readers to it. */
function insertBehindEach(model) {
  for (const node of [...model.graph.nodes]) {
    const made = addNode(model.graph, "Neg", [node.output], {}, { place: { after: node } });
    model.graph.replaceUses(node.output, made.output, (use) => use.node !== made);
  }
}

/** Takes every second node out again. */
function removeNegations(model) {
  for (const node of model.graph.nodes) {
    if (node.op !== "Neg") continue;
    model.graph.replaceUses(node.output, node.input(0));
    model.graph.remove(node);
  }
}

const model = chain();
const bytes = writeModel(model);
const text = printModel(model);
const work = {
  "build, a node each": () => chain(),
  "clone, insert a node behind each and redirect its readers": () => insertBehindEach(cloneModel(model)),
  "the same, and take it out again": () => {
    const copy = cloneModel(model);
    insertBehindEach(copy);
    removeNegations(copy);
  },
  "clone, a node each": () => cloneModel(model),
  "check, a node each": () => check(model),
  "write, a node each": () => writeModel(model),
  "read, a node each": () => readModel(bytes),
  "print, a node each": () => printModel(model),
  "parse, a node each": () => parseModel(text),
};
console.log(`| work on a graph of ${count} nodes | thousand a second |\n| --- | --- |`);
for (const [name, run] of Object.entries(work)) {
  const times = Array.from({ length: 7 }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  console.log(`| ${name} | ${Math.round(count / median(times))} |`);
}

const starts = {
  "node -e 0": ["-e", "0"],
  "avocet --version": [cli, "--version"],
  "avocet help quantize": [cli, "help", "quantize"],
};
const times = Object.fromEntries(Object.keys(starts).map((name) => [name, []]));
for (let round = 0; round < 15; round++) {
  for (const [name, args] of Object.entries(starts)) {
    const start = performance.now();
    spawnSync(process.execPath, args);
    times[name].push(performance.now() - start);
  }
}
console.log("\n| start | ms |\n| --- | --- |");
for (const [name, list] of Object.entries(times)) console.log(`| ${name} | ${Math.round(median(list))} |`);
