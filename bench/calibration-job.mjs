// One measurement of bench/calibration.mjs, in a process of its own: node bench/calibration-job.mjs '{"job": …}'
import { readFileSync } from "node:fs";
import { fromTensors } from "../dist/data/inner.js";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { extract } from "../dist/ir/inner.js";
import { normalise } from "../dist/passes/inner.js";
import { builtinTarget, calibrate, place } from "../dist/quant/inner.js";
import { firstSample, openRuntime, overall, traceShapes } from "../dist/runtime/inner.js";

const {
  job,
  model: file,
  data: spec,
  preprocess,
  count,
  target = "ort-cpu",
  threads = 2,
} = JSON.parse(process.argv[2]);
const runtime = await openRuntime("ort-node");
const model = readModelFile(file);
await normalise(model, { runtime });
const input = model.graph.inputs[0];
const ports = [{ name: input.name, dtype: "float32", shape: input.type.shape }];
const pictures = await openData(spec, { inputs: ports, preprocess: JSON.parse(readFileSync(preprocess, "utf8")) });

if (job === "rss") await peakOf(count);
else await secondsOf(job);

function say(row) {
  console.log(JSON.stringify({ job, ...row, rssMb: Math.round(process.resourceUsage().maxRSS / 1024) }));
}

/** Calibration of many pictures that are decoded as they come; the same ones again and again. */
async function peakOf(count) {
  const stream = {
    count,
    source: `${spec}, repeated`,
    async *batches(size) {
      for (let first = 0; first < count; first += size) {
        const indices = Array.from({ length: Math.min(size, count - first) }, (_, i) => (first + i) % pictures.count);
        yield { feeds: await pictures.read(indices), first, size: indices.length };
      }
    },
  };
  const { plan, shapes } = await placed(stream);
  await calibrate(model, plan, runtime, stream, { scheme: "sqnr", shapes, session: { threads } });
  say({ count });
}

async function secondsOf(job) {
  // Decoded before the clock starts: what is compared is calibration, not JPEG.
  const decoded = await pictures.read(Array.from({ length: Math.min(count, pictures.count) }, (_, i) => i));
  const data = fromTensors(decoded, spec);
  const { plan, shapes } = await placed(data);
  if (job === "forward") return forward(data);
  if (job.startsWith("floor")) return floor(data, plan, job.endsWith("minmax"));
  const [start, before] = [performance.now(), process.cpuUsage()];
  await calibrate(model, plan, runtime, data, { scheme: job, shapes, session: { threads } });
  return say({ seconds: (performance.now() - start) / 1000, cpu: cpuSince(before) });
}

async function placed(data) {
  const shapes = await traceShapes(model, runtime, await firstSample(data));
  return { shapes, plan: place(model, builtinTarget(target), { shapes }) };
}

/** Processor seconds of all threads: what a busy machine cannot distort. */
function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Seconds of plain runs over all data, the best of some batch sizes. */
async function best(session, data, batches) {
  let least = { seconds: Number.POSITIVE_INFINITY, batch: 0 };
  for await (const { feeds } of data.batches(1)) {
    await session.run(feeds);
    break;
  }
  for (const batch of batches) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    for await (const { feeds } of data.batches(batch)) await session.run(feeds);
    const seconds = (performance.now() - start) / 1000;
    if (seconds < least.seconds) least = { seconds, cpu: cpuSince(before), batch };
  }
  return least;
}

async function forward(data) {
  const session = await runtime.open(model, { threads });
  say(await best(session, data, [1, 4, 10, 25, 50]));
}

/** The same values, reduced in the graph or fetched whole, in a plain session; opening it is part of the time. */
async function floor(data, plan, reduced) {
  const own = plan.entries.filter(
    (e) => e.kind === "activation" && e.sharesEncodingOf === undefined && e.value !== input.name,
  );
  const names = own.map((entry) => entry.value);
  const start = performance.now();
  const part = extract(model, names);
  if (reduced) {
    const outputs = part.graph.outputs.flatMap((value) =>
      overall("ReduceMin", "ReduceMax", "ReduceSum")(part.graph, value, part.opset),
    );
    part.graph.setOutputs(outputs);
  }
  const session = await runtime.open(part, { threads });
  const opened = (performance.now() - start) / 1000;
  const run = await best(session, data, [1, 4, 10, 25]);
  say({ ...run, seconds: run.seconds + opened, opened });
}
