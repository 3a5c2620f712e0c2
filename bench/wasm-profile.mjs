/**
 * How long each operator of a file takes on WebAssembly in Node. ONNX Runtime Web prints its profile where a program cannot read it, so that
 * what goes to standard output is caught for that moment.
 */
import fs from "node:fs";
import * as ort from "onnxruntime-web";
import { kernelTimes } from "../dist/analysis/inner.js";

/** As profilerOf() for ort-node: the shortest of a few runs. `model`: the bytes of the file. */
export async function wasmProfile(model, feeds, runs = 12) {
  const session = await ort.InferenceSession.create(model, { enableProfiling: true, logSeverityLevel: 4 });
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, data, shape }]) => [name, new ort.Tensor(dtype, data, [...shape])]),
  );
  for (let run = 0; run < runs; run++) await session.run(given);
  let text = "";
  const { writeSync } = fs;
  fs.writeSync = (_, chunk) => {
    text += chunk;
    return chunk.length;
  };
  try {
    session.endProfiling();
  } finally {
    fs.writeSync = writeSync;
  }
  await session.release();
  return kernelTimes(text);
}
