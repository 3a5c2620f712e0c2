/**
 * Every call to the disk of every command that writes, failed in turn: faults, full disks and kills, all of them instead of the sample that
 * `npm test` takes. Then processes that are really killed: SIGKILL right before a call that changes something, and the same command again;
 * and Ctrl-C and SIGTERM at many moments of every command. Needs `npm run build`.
 *
 *     nice node bench/faults.mjs [calls|kills|interrupts] [--only quantize,train] [--kills 24] [--moments 20]
 *
 * `kills` takes at most so many calls a command (0: all), those where a new file gets its name among them, and under a minute of a processor
 * for each command; `calls` takes half an hour, `interrupts` ten minutes. Rows are kept by command (bench/faults-table.mjs).
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeNpy } from "../dist/data/inner-files.js";
import { writeModelFile } from "../dist/formats/inner-node.js";
import { parseModel } from "../dist/ir/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { keep } from "./faults-table.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    kills: { type: "string", default: "24" },
    moments: { type: "string", default: "20" },
  },
});
/** Longer than any of these commands takes on a busy machine: a run that hangs is one that is wrong. */
const patience = 120_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const parts = { calls, kills, interrupts };
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
  const rows = await parts[part]();
  keep(part, rows);
  console.table(rows);
}

/** Simulated: test/faults.test.ts with all calls. */
function calls() {
  const results = tested("test/faults.test.ts", { AVOCET_FAULTS: "all" }, "(fault|full|kill)$");
  const rows = new Map();
  for (const { ancestorTitles, title, status, meta } of results) {
    if (status === "passed" || status === "failed") {
      const row = rows.get(ancestorTitles[0]) ?? {};
      rows.set(ancestorTitles[0], { ...row, [title]: status === "passed" ? `${meta.tried}` : "**failed**" });
    }
  }
  return Object.fromEntries([...rows].map(([name, { fault, full, kill }]) => [name, [fault, full, kill]]));
}

/** What the tests of a file say, with what they noted; of the commands of --only, or of all. */
function tested(file, env, ending) {
  const folder = mkdtempSync(join(tmpdir(), "avocet-faults-"));
  const output = join(folder, "results.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${output}`];
  const only = options.only ? ["-t", `^(interrupted )?'?(${options.only.replaceAll(",", "|")})'? ?${ending}`] : [];
  const args = ["vitest", "run", file, "--maxWorkers=1", ...reporters, ...only];
  spawnSync("npx", args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", 2, 2] });
  const { assertionResults } = JSON.parse(readFileSync(output, "utf8")).testResults[0];
  rmSync(folder, { recursive: true });
  return assertionResults;
}

/** Every command, at moments of a seed. */
function interrupts() {
  const results = tested("test/interrupts.test.ts", { AVOCET_INTERRUPTS: options.moments }, "$");
  const ran = results.filter(({ meta }) => meta.ended);
  return Object.fromEntries(
    ran.map(({ title, status, meta: { ended } }) => [
      title.replaceAll("'", ""),
      [ended.length, Math.max(...ended), status === "passed" ? 0 : "**failed**"],
    ]),
  );
}

/** Real: processes that end at their n-th change of the disk. */
async function kills() {
  const text = `<ir_version: 10, opset_import: ["" : 21]>
  tiny (float[N,8,6,6] x) => (float[N,5] y) <float[16,8,3,3] w1, float[16] b1, float[5,16] w2> {
    c = Conv <pads = [1,1,1,1]> (x, w1, b1)
    r = Relu(c)
    p = GlobalAveragePool(r)
    f = Flatten(p)
    y = Gemm <transB = 1> (f, w2) }`;
  const inputs = mkdtempSync(join(tmpdir(), "avocet-kills-"));
  writeModelFile(parseModel(text, { seed: 2 }), join(inputs, "tiny.onnx"));
  const ramp = Float32Array.from({ length: 8 * 288 }, (_, i) => Math.sin(i));
  writeFileSync(join(inputs, "x.npy"), writeNpy(Tensor.float32([8, 8, 6, 6], ramp)));
  const matrices = `<ir_version: 10, opset_import: ["" : 21]>
  matrices (float[N,9,32] x) => (float[N,9,32] y) <float[32,64] w1, float[32,64] w2, float[64,32] w3> {
    a = MatMul(x, w1)
    s = Sigmoid(a)
    b = MatMul(x, w2)
    p = Mul(s, b)
    y = MatMul(p, w3) }`;
  writeModelFile(parseModel(matrices, { seed: 2 }), join(inputs, "matrices.onnx"));
  writeFileSync(join(inputs, "rows.npy"), writeNpy(Tensor.float32([8, 9, 32], ramp)));
  const quick = ["--data", "x.npy", "-o", "out", "--preset", "fast", "--samples", "4", "--threads", "1", "--quiet"];
  // GPTQ keeps each finished layer: kills fall between them, and --resume goes on from there.
  const byLayers = [
    "--data",
    "rows.npy",
    "-o",
    "out",
    "--method",
    "gptq",
    "--samples",
    "4",
    "--threads",
    "1",
    "--quiet",
  ];
  const all = {
    quantize: ["quantize", "tiny.onnx", ...quick],
    "weight-only": ["quantize", "matrices.onnx", ...byLayers, "--form", "weight-only"],
    dynamic: ["quantize", "matrices.onnx", ...byLayers, "--form", "dynamic"],
    train: ["train", "tiny.onnx", ...quick, "--epochs", "1", "--batch", "4"],
    convert: ["convert", "tiny.onnx", "-o", "out", "--external", "always"],
  };
  const rows = {};
  for (const [name, args] of Object.entries(all)) {
    if (options.only && !options.only.split(",").includes(name)) continue;
    const start = performance.now();
    const { changes, output } = await undisturbed(inputs, args);
    const chosen = chosenOf(changes, Number(options.kills));
    const found = { whole: 0, absent: 0, wrong: 0 };
    for (const n of chosen) {
      const outcome = await killedAt(inputs, args, n, output);
      found[outcome.kind]++;
      process.stderr.write(`${name}: killed at call ${n} of ${changes.length} (${changes[n]}): ${outcome.told}\n`);
    }
    const seconds = Math.round((performance.now() - start) / 1000);
    rows[name] = [changes.length, chosen.length, found.absent, found.whole, found.wrong, seconds];
  }
  rmSync(inputs, { recursive: true });
  return rows;
}

/** Counts calls that change the disk; tells them at the end, or ends the process before the n-th. */
function hook(body) {
  const door = JSON.stringify(new URL("../dist/base/inner-node.js", import.meta.url).href);
  return `data:text/javascript,${encodeURIComponent(`
    import { writeFileSync } from "node:fs";
    import { interceptDisk } from ${door};
    const changes = [];
    interceptDisk((call, path, act) => {
      if (/^(create|mkdir|rename|link|unlink|rmdir|write)$/.test(call)) { changes.push(call); ${body.change ?? ""} }
      return act();
    });
    ${body.end ?? ""}`)}`;
}

function run(work, args, imported) {
  const before = imported ? ["--import", imported] : [];
  const env = { ...process.env, AVOCET_SUPERVISOR: "off" };
  return new Promise((resolve) => {
    const command = [...before, join(root, "dist/cli/main.js"), ...args];
    const child = spawn(process.execPath, command, { cwd: work, env, stdio: ["ignore", "ignore", "pipe"] });
    let told = "";
    child.stderr.on("data", (text) => {
      told += text;
    });
    const clock = setTimeout(() => child.kill("SIGABRT"), patience);
    child.on("close", (code, signal) => {
      clearTimeout(clock);
      resolve({ code, signal, told });
    });
  });
}

/** Always the same path: recipes hold it. */
function workIn(inputs) {
  const work = `${inputs}-work`;
  cpSync(inputs, work, { recursive: true, preserveTimestamps: true });
  return work;
}

async function undisturbed(inputs, args) {
  const work = workIn(inputs);
  const list = join(inputs, "..", `avocet-changes-${process.pid}.json`);
  const end = `process.on("exit", () => writeFileSync(${JSON.stringify(list)}, JSON.stringify(changes)));`;
  const { code, told } = await run(work, args, hook({ end }));
  if (code !== 0) throw new Error(told);
  const changes = JSON.parse(readFileSync(list, "utf8"));
  const output = outputOf(work);
  rmSync(work, { recursive: true });
  rmSync(list);
  return { changes, output };
}

/** Where files get their names, and some of the others, evenly. */
function chosenOf(changes, most) {
  const numbers = changes.map((_, n) => n);
  if (most === 0 || numbers.length <= most) return numbers;
  const names = numbers.filter((n) => /^(rename|link)$/.test(changes[n])).slice(-Math.ceil(most / 2));
  const others = numbers.filter((n) => !names.includes(n));
  const step = others.length / (most - names.length);
  const evenly = Array.from({ length: most - names.length }, (_, i) => others[Math.floor(i * step)]);
  return [...names, ...evenly].sort((a, b) => a - b);
}

async function killedAt(inputs, args, n, expected) {
  const work = workIn(inputs);
  try {
    const change = `if (changes.length === ${n + 1}) process.kill(process.pid, "SIGKILL");`;
    const killed = await run(work, args, hook({ change }));
    if (killed.signal !== "SIGKILL") return { kind: "wrong", told: `ended with ${killed.code ?? killed.signal}` };
    const kind = existsSync(join(work, "out")) ? "whole" : "absent";
    if (kind === "whole" && outputOf(work) !== expected) return { kind: "wrong", told: "half an output" };
    const again = [...args, ...(kind === "whole" ? ["--force"] : [])];
    if (existsSync(join(work, ".out.avocet-checkpoint"))) again.push("--resume");
    const repeated = await run(work, again);
    if (repeated.code !== 0)
      return { kind: "wrong", told: `then exit ${repeated.code ?? repeated.signal}: ${repeated.told}` };
    const litter = readdirSync(work).filter((entry) => entry.startsWith("."));
    if (litter.length > 0) return { kind: "wrong", told: `left ${litter.join(" ")}` };
    if (outputOf(work) !== expected) return { kind: "wrong", told: "then other bytes" };
    return { kind, told: `${kind}, then the same` };
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Names and digests of what the output consists of. Reports tell times, and hidden files are on their way to become one. */
function outputOf(work) {
  const digest = (path) => createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12);
  const out = join(work, "out");
  const files = statSync(out).isDirectory()
    ? readdirSync(out)
        .filter((name) => !/^report\.|^\./.test(name))
        .map((name) => join("out", name))
    : readdirSync(work).filter((name) => name === "out" || name.startsWith("out."));
  return files
    .sort()
    .map((name) => `${name} ${digest(join(work, name))}`)
    .join("\n");
}
