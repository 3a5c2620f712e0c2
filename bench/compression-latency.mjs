/**
 * Milliseconds of one sample of two models, on ort-node and on WebAssembly in Node, one thread, in turn: `node compression-latency.mjs A B`
 * prints `{ "ort-node": [a, b], "ort-web": [a, b] }`, the fastest of the rounds, which a busy machine disturbs least.
 */
import { setFlagsFromString } from "node:v8";
import { openRuntime, Tensor } from "avocet";
import { Random } from "../dist/base/inner.js";
import { readModelFile } from "../dist/formats/inner-node.js";

setFlagsFromString("--no-liftoff");
const [seconds, rounds] = [6, 400];
const files = process.argv.slice(2, 4);
const feeds = feedsOf(readModelFile(files[0]));
const row = {};
for (const name of ["ort-node", "ort-web"]) {
  const runtime = await openRuntime(name, { threads: 1 });
  const sessions = [];
  for (const file of files) sessions.push(await runtime.open(file));
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  for (const session of sessions) await session.run(feeds);
  const end = performance.now() + 1000 * seconds;
  for (let round = 0; round < rounds && (round < 5 || performance.now() < end); round++)
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      best[i] = Math.min(best[i], performance.now() - start);
    }
  for (const session of sessions) await session[Symbol.asyncDispose]();
  row[name] = best;
}
console.log(JSON.stringify(row));

/** One sample of normal numbers: what kernels take does not depend on them. */
function feedsOf(model) {
  const random = new Random(1);
  const inputs = model.graph.inputs.filter(({ initializer }) => !initializer);
  return Object.fromEntries(
    inputs.map(({ name, type: { shape } }) => {
      const dims = shape.map((length) => (typeof length === "number" ? length : 1));
      const size = dims.reduce((product, length) => product * length, 1);
      return [
        name,
        Tensor.float32(
          dims,
          Float32Array.from({ length: size }, () => random.normal()),
        ),
      ];
    }),
  );
}
