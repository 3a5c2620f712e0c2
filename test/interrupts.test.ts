/**
 * Ctrl-C and SIGTERM end every command within two seconds, whatever it is doing: starting, working in JavaScript, in native code that never
 * comes back, or writing. `npm test` takes a moment or two of each command, AVOCET_INTERRUPTS=20 (bench/faults.mjs) as many of each.
 * Needs `npm run build`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { addNode, Graph, Model, parseModel, tensorType } from "../src/ir/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { builtCommand, staleBuild } from "./built-command.ts";
import { avocet, commandHelp, type Workshop, workshop, writeSafetensors } from "./command-line.ts";

declare module "vitest" {
  interface TaskMeta {
    /** For the table of bench/faults.mjs: milliseconds from each signal to the end. */
    ended?: number[];
  }
}

/** Seconds of work in JavaScript for every command that looks at graphs. */
function long(): Model {
  const graph = new Graph("long");
  let x = graph.addInput("x", tensorType("float32", ["N", 8, 6, 6]));
  for (let i = 0; i < 20_000; i++) x = addNode(graph, i % 2 ? "Relu" : "Sigmoid", [x]).output;
  x = addNode(graph, "Mul", [x, graph.addInitializer("w", Tensor.float32([1], [1]))]).output;
  x.type = tensorType("float32", ["N", 8, 6, 6]);
  graph.addOutput(x);
  return new Model(graph, [["", 21]]);
}

/** Turns for ever inside the runtime. */
const endless = `<ir_version: 10, opset_import: ["" : 21]>
  endless (float[N,8,6,6] x) => (float[N,5] y) <int64 turns = {4611686018427387904}, bool on = {1}, float[5,8] w> {
    l = Loop (turns, on, x) <body = body (int64 i, bool c, float[N,8,6,6] a) => (bool d, float[N,8,6,6] b) { d = Identity(c) b = Add(a, a) }>
    p = GlobalAveragePool(l)
    f = Flatten(p)
    y = Gemm <transB = 1> (f, w) }`;

const judged = ["--data", "$/x.npy", "--labels", "$/y.npy"];
/** Every command, on what takes it long. */
const commands: Record<string, readonly string[]> = {
  inspect: ["inspect", "$/long.onnx"],
  plan: ["plan", "$/long.onnx", "--target", "aimet-default", "-o", "$/out"],
  print: ["print", "$/long.onnx", "-o", "$/out"],
  convert: ["convert", "$/long.onnx", "-o", "$/out"],
  upgrade: ["upgrade", "$/long.onnx", "--opset", "22", "-o", "$/out"],
  optimize: ["optimize", "$/long.onnx", "-o", "$/out"],
  extract: ["extract", "$/long.onnx", "-o", "$/out"],
  diff: ["diff", "$/long.onnx", "$/long.onnx"],
  run: ["run", "$/endless.onnx", "--data", "$/x.npy", "-o", "$/out"],
  quantize: ["quantize", "$/endless.onnx", "--data", "$/x.npy", "-o", "$/out"],
  train: ["train", "$/endless.onnx", "--data", "$/x.npy", "-o", "$/out"],
  "quantize what ends": ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "--preset", "best", "-o", "$/out"],
  "train what ends": ["train", "$/tiny.onnx", "--data", "$/x.npy", "--epochs", "500", "-o", "$/out"],
  observe: ["observe", "$/endless.onnx", "--data", "$/x.npy", "-o", "$/out"],
  evaluate: ["evaluate", "$/endless.onnx", ...judged],
  compare: ["compare", "$/endless.onnx", "$/tiny.onnx", "--data", "$/x.npy"],
  verify: ["verify", "$/made", "--float-model", "$/endless.onnx"],
  report: ["report", "$/made", "$/made", "-o", "$/out"],
  export: ["export", "$/made", "-o", "$/out"],
  weights: ["weights", "$/long.onnx", "--from", "$/w.safetensors", "-o", "$/out"],
  import: ["import", "$/made/e.encodings", "--model", "$/long.onnx", "--target", "aimet-default", "-o", "$/out"],
  "import a quantized model": ["import", "$/made/model.onnx", "-o", "$/out"],
  compress: ["compress", "$/endless.onnx", "--data", "$/x.npy", "--target-macs", "0.5", "-o", "$/out"],
  "compress what ends": [
    ...["compress", "$/tiny.onnx", "--data", "$/x.npy", "--target-macs", "0.5", "-o", "$/out"],
    ...["--finetune", "epochs=500"],
  ],
  doctor: ["doctor"],
  completion: ["completion", "bash"],
  help: ["help", "quantize"],
};

test("every command has a row", async () => {
  const rows = new Set(Object.values(commands).map(([name]) => name));
  expect([...(await commandHelp()).keys()].filter((name) => !rows.has(name))).toEqual([]);
});

const each = Number(process.env.AVOCET_INTERRUPTS ?? 1);
const reason = staleBuild();

describe.skipIf(reason)(`interrupted${reason ? ` (${reason})` : ""}`, () => {
  let shop: Workshop;
  let known: string[] = [];
  /** Milliseconds that a process takes here which does nothing: a tenth of a second on a quiet machine. */
  let nothing = 0;
  beforeAll(async () => {
    shop = await workshop();
    await shop.model("long.onnx", long());
    await shop.model("endless.onnx", parseModel(endless, { seed: 1 }));
    const make = ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/made", "--preset", "fast", "--quiet"];
    const made = await avocet(make.map(here));
    expect(made.code, made.err).toBe(0);
    const exported = await avocet(["export", "$/made", "-o", "$/made/e.encodings"].map(here));
    expect(exported.code, exported.err).toBe(0);
    mkdirSync(shop.at("imported"));
    const imported = await avocet(["import", "$/made/model.onnx", "-o", "$/imported/plan.json"].map(here));
    expect(imported.code, imported.err).toBe(0);
    shop.write("w.safetensors", writeSafetensors({ w: Tensor.float32([1], [2]) }));
    known = shop.listing();
    const start = performance.now();
    await endOf(spawn(process.execPath, [builtCommand, "--version"], { stdio: "ignore" }));
    nothing = performance.now() - start;
  }, 60_000);
  afterAll(() => shop[Symbol.dispose]());
  const here = (arg: string) => arg.replaceAll("$", shop.folder);

  const random = new Random(5);
  const cases = Object.entries(commands).map(([name, args]) => ({
    name,
    args,
    // Starting, and at work: most commands run for some seconds.
    moments: Array.from({ length: each }, (_, i) => Math.round(40 + ((i + random.uniform(0, 1)) / each) * 2500)),
  }));

  test.for(cases)("$name", { timeout: 10_000 + each * 20_000 }, async ({ args, moments }, { task }) => {
    task.meta.ended = [];
    for (const [i, moment] of moments.entries()) {
      const child = spawn(process.execPath, [builtCommand, ...args.map(here), "--json"], { stdio: "ignore" });
      const ended = endOf(child);
      await Promise.race([pause(moment), ended]);
      const asked = performance.now();
      child.kill(i % 2 === 0 ? "SIGINT" : "SIGTERM");
      const { code, signal } = await ended;
      const took = performance.now() - asked;
      const place = `after ${moment} ms`;
      task.meta.ended.push(Math.round(took));
      // The promise is two seconds. On a machine that does other things a process that cleans up waits for its turn, as all do.
      expect(took, place).toBeLessThan(2000 + 10 * nothing);
      // Before it listens the system ends it; or it was done.
      expect(signal === null ? [0, 130] : [code], place).toContain(code);
      // The output is whole or not there, and nothing lies next to it but what a killed run needs to go on. What `export` and `import` write first is the float model.
      const left = shop.listing().filter((file) => !known.includes(file) && !/^out(\/|$)/.test(file));
      const beside = /^(export|import)$/.test(args[0]!) ? /^float\.onnx$/ : /^\.out\.avocet-(checkpoint|run)/;
      expect(
        left.filter((file) => !beside.test(file)),
        place,
      ).toEqual([]);
      if (left.includes("float.onnx")) {
        const whole = args[0] === "export" ? "made/float.onnx" : "imported/float.onnx";
        expect(readFileSync(shop.at("float.onnx")).equals(readFileSync(shop.at(whole))), place).toBe(true);
      }
      if (existsSync(shop.at("out"))) expect(code, place).toBe(0);
      for (const file of shop.listing())
        if (!known.includes(file)) rmSync(shop.at(file), { recursive: true, force: true });
    }
  });
});

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
