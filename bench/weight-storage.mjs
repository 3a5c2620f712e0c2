/**
 * How 8-bit weights should be stored for ONNX Runtime on x86: int8 with pair-safe scales (the target ort-cpu), int8 without
 * them, 7 of 8 bits, and uint8; and ort-cpu itself, which leaves narrow convolutions in float. Accuracy in a stock session on this machine, pairs that can saturate on one without VNNI, and
 * latency, all interleaved on one thread. Run `npm run build` first, then `node bench/weight-storage.mjs [NAME]`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { normalise } from "../dist/passes/inner.js";
import { lower, saturatingPairs, targetFile } from "../dist/quant/inner.js";
import { planFromJson } from "../dist/quant/inner-files.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { root, tasks } from "./accuracy-tasks.mjs";

const runtime = await openRuntime();
const wanted = process.argv[2];
console.log(`${cpus()[0].model}, one thread, Node ${process.versions.node}\n`);
console.log("| network | weights | accuracy | pairs that can saturate | latency ms |");
console.log("| --- | --- | --- | --- | --- |");
for (const task of tasks()) {
  if (wanted ? !task.name.includes(wanted) : task.name.includes("example")) continue;
  const folder = mkdtempSync(join(tmpdir(), "avocet-storage-"));
  try {
    await compare(task, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(task, folder) {
  const target = (changes) => {
    const file = join(folder, "target.json");
    const { avocet, ...standard } = targetFile("ort-cpu");
    // Storage is compared with every convolution on integers, narrow ones too.
    const integer_kernels = { ...avocet.integer_kernels, least_input_channels: 1, least_depthwise_channels: 1 };
    writeFileSync(file, JSON.stringify({ ...standard, avocet: { ...avocet, integer_kernels, ...changes } }));
    return file;
  };
  const made = {
    "int8, pair-safe": quantize(task, join(folder, "safe"), target({})),
    int8: quantize(task, join(folder, "unsafe"), target({ pair_safe_weights: "False" })),
    "int8, 7 bits": await sevenBits(task, join(folder, "unsafe"), join(folder, "seven.onnx")),
    uint8: quantize(task, join(folder, "unsigned"), target({ weights: "uint8" })),
    "ort-cpu": quantize(task, join(folder, "standard"), "ort-cpu"),
  };
  const floating = { float: task.model, ...made };
  const latencies = await race(Object.values(floating));
  for (const [i, [name, path]] of Object.entries(floating).entries()) {
    const score = (100 * avocet(["evaluate", path, ...judging(task)]).value).toFixed(2);
    const risks = saturatingPairs(readModelFile(path));
    const pairs = name === "float" ? "" : risks.reduce((sum, risk) => sum + risk.pairs, 0);
    console.log(`| ${task.name} | ${name} | ${score} | ${pairs} | ${latencies[i].toFixed(2)} |`);
  }
}

function quantize(task, out, target) {
  avocet([
    "quantize",
    task.model,
    "--data",
    task.data,
    "--preprocess",
    task.preprocess,
    ...task.options,
    "--target",
    target,
    "--preset",
    "fast",
    "-o",
    out,
  ]);
  return join(out, "model.onnx");
}

/** The plan of plain int8 with every pair-prone scale doubled: integers of −64 … 63. */
async function sevenBits(task, from, path) {
  const plan = planFromJson(readFileSync(join(from, "plan.json"), "utf8"));
  const double = (entry) =>
    entry.kind === "weight" && entry.symmetric
      ? { ...entry, encoding: { ...entry.encoding, scale: entry.encoding.scale.map((s) => 2 * s) } }
      : entry;
  const model = readModelFile(task.model);
  await normalise(model, { runtime });
  writeModelFile(lower(model, { ...plan, entries: plan.entries.map(double) }).model, path);
  return path;
}

function judging(task) {
  return [
    "--data",
    task.judged,
    "--labels",
    task.labels,
    "--preprocess",
    task.preprocess,
    ...(task.judging ?? []),
    ...task.options,
  ];
}

function avocet(args) {
  return JSON.parse(
    execFileSync("node", [join(root, "dist", "cli", "main.js"), ...args, "--json", "--quiet"], {
      maxBuffer: 1 << 28,
    }).toString(),
  );
}

/** The fastest of 30 rounds, milliseconds, batch 1. */
async function race(paths) {
  const sessions = await Promise.all(paths.map((path) => runtime.open(path, { threads: 1 })));
  const [input] = sessions[0].inputs;
  const shape = input.shape.map((d) => (typeof d === "number" ? d : 1));
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
  const feeds = { [input.name]: Tensor.float32(shape, data) };
  const best = paths.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 30; round++) {
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      best[i] = Math.min(best[i], performance.now() - start);
    }
  }
  for (const session of sessions) await session[Symbol.asyncDispose]();
  return best;
}
