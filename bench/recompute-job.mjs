// One job of bench/recompute.mjs, in a process of its own: node bench/recompute-job.mjs '{"action": "build" | "run", …}'
import { readFileSync, writeFileSync } from "node:fs";
import { Random } from "../dist/base/inner.js";
import { writeModel } from "../dist/formats/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { crossEntropy, trainingGraph } from "../dist/train/inner.js";
import { nets } from "./gradient-nets.mjs";

const { action, net: name, batch, memory, file, steps = 4 } = JSON.parse(process.argv[2]);
const net = nets[name](false, batch);
const random = new Random(3);
const { shape } = net.model.graph.inputs.find((input) => input.name === "x").type;
const size = shape.reduce((a, b) => a * b, 1);
const example = {
  x: Tensor.float32(
    shape,
    Float32Array.from({ length: size }, () => random.normal()),
  ),
  labels: Tensor.int64(
    [batch],
    Array.from({ length: batch }, (_, i) => i % 10),
  ),
};

if (action === "build") await build();
else await run();

/** Writes the training graph and its first buffers. */
async function build() {
  const spec = {
    model: net.model,
    example,
    groups: [{ names: net.trained }],
    states: net.states,
    loss: crossEntropy(),
    optimizer: { kind: "sgd", momentum: 0.9 },
    ...(memory === null ? {} : { memory }),
  };
  const graph = await trainingGraph(spec, await openRuntime("ort-node"));
  writeFileSync(file, writeModel(graph.model));
  const buffers = [...graph.buffers.values()].map(({ input, output, initial }) => ({
    input,
    output,
    initial: Array.from(initial),
  }));
  writeFileSync(`${file}.json`, JSON.stringify(buffers));
  console.log(JSON.stringify({ nodes: graph.model.graph.nodeCount }));
}

/** Opens it, takes steps from the same state, and tells what the session has added to the process at most: all buffers count, statistics too. */
async function run() {
  const runtime = await openRuntime("ort-node");
  const buffers = JSON.parse(readFileSync(`${file}.json`, "utf8"));
  const state = Object.fromEntries(
    buffers.map(({ input, initial }) => [input, Tensor.float32([initial.length], initial)]),
  );
  const scalars = { "train.learning_rate": Tensor.scalar(1e-3), "train.step": Tensor.scalar(0, "int64") };
  const before = process.memoryUsage().rss;
  const session = await runtime.open(file);
  const times = [];
  let results = {};
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    results = await session.run({ ...example, ...scalars, ...state });
    times.push(performance.now() - start);
  }
  const peak = process.resourceUsage().maxRSS * 1024 - before;
  const after = buffers.flatMap(({ output, initial }) =>
    Array.from(results[output].floats(), (value, i) => value - initial[i]),
  );
  writeFileSync(`${file}.step`, new Uint8Array(Float64Array.from(after).buffer));
  console.log(JSON.stringify({ peakMb: Math.round(peak / 2 ** 20), ms: Math.round(Math.min(...times.slice(1))) }));
}
