// One training step of bench/builds.mjs with the build of a folder: node bench/builds-step.mjs FOLDER NET → milliseconds of processor time, least of 12.
import { join, resolve } from "node:path";
import { partsOf } from "./builds-parts.mjs";

const [folder, name] = process.argv.slice(2);
const { Random } = await partsOf(folder, "base");
const { openRuntime } = await partsOf(folder, "runtime");
const { Tensor } = await partsOf(folder, "tensor");
const { crossEntropy, trainingGraph } = await partsOf(folder, "train");
const { nets } = await import(join(resolve(folder), "bench/gradient-nets.mjs"));

const runtime = await openRuntime("ort-node", { threads: 1 });
const net = nets[name](true);
const random = new Random(3);
const shape = net.model.graph.inputs[0].type.shape;
const numbers = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
const x = Tensor.float32(shape, numbers);
const labels = Tensor.int64(
  [shape[0]],
  Array.from({ length: shape[0] }, (_, i) => i % 10),
);
const { model, buffers } = await trainingGraph(
  {
    model: net.model,
    example: { x, labels },
    groups: [{ names: net.trained }],
    states: net.states,
    loss: crossEntropy(),
    optimizer: { kind: "sgd", momentum: 0.9 },
    kernels: "fast",
  },
  runtime,
);
const feeds = { x, labels, "train.learning_rate": Tensor.scalar(1e-4), "train.step": Tensor.scalar(0, "int64") };
for (const { input, initial } of buffers.values()) feeds[input] = Tensor.float32([initial.length], initial);
const session = await runtime.open(model, { fuseQdq: false, threads: 1 });
const times = [];
for (let i = 0; i < 14; i++) {
  const before = process.cpuUsage();
  await session.run(feeds);
  const { user, system } = process.cpuUsage(before);
  if (i > 1) times.push((user + system) / 1000);
}
await session[Symbol.asyncDispose]();
console.log(JSON.stringify({ value: Math.min(...times) }));
