/** What the first process does when the second one dies, hangs, or loses it. Needs `npm run build`, as `npm test` does first. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtCommand, staleBuild } from "../../../test/built-command.ts";
import { type Workshop, workshop } from "../../../test/command-line.ts";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

const header = '<ir_version: 10, opset_import: ["" : 21]>';

/** Turns for ever, and gives the thread back never. */
const endless = `${header} endless (float[N] x) => (float[N] y) <int64 turns = {4611686018427387904}, bool on = {1}> {
  y = Loop (turns, on, x) <body = body (int64 i, bool c, float[N] a) => (bool d, float[N] b) { d = Identity(c) b = Add(a, a) }> }`;

/** Something to quantize, behind a loop that never ends. */
const waits = `${header} waits (float[N,4] x) => (float[N,4] y) <float[4,4] w, int64 turns = {4611686018427387904}, bool on = {1}> {
  l = Loop (turns, on, x) <body = body (int64 i, bool c, float[N,4] a) => (bool d, float[N,4] b) { d = Identity(c) b = Add(a, a) }>
  y = MatMul(l, w) }`;

/** INT_MIN / −1, which the processor refuses. */
const divides = `${header} divides (int32[N] x) => (int32[N] y) <int32 minus = {-1}> { y = Div(x, minus) }`;

/** 1.6 GB of ones. */
const large = `${header} large (float[N] x) => (float y) <int64[1] size = {400000000}> {
  ones = ConstantOfShape <value = float[1] {1}> (size)
  sum = ReduceSum <keepdims = 0> (ones)
  first = ReduceMax <keepdims = 0> (x)
  y = Add(sum, first) }`;

interface End {
  readonly code: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: the one document of --json
  readonly json: any;
  readonly err: string;
}

const reason = staleBuild();

describe.skipIf(reason)(`the supervisor${reason ? ` (${reason})` : ""}`, () => {
  let shop: Workshop;
  beforeAll(async () => {
    shop = await workshop();
    await shop.model("endless.onnx", parseModel(endless));
    await shop.model("divides.onnx", parseModel(divides));
    await shop.model("large.onnx", parseModel(large));
    await shop.model("waits.onnx", parseModel(waits, { seed: 1 }));
    shop.npy("row.npy", Tensor.float32([2, 4], new Float32Array(8)));
    shop.npy("one.npy", Tensor.float32([1], Float32Array.of(1)));
    shop.npy("lowest.npy", Tensor.of("int32", [1], Int32Array.of(-(2 ** 31))));
  });
  afterAll(() => shop[Symbol.dispose]());

  const start = (args: readonly string[], limits: Readonly<Record<string, string>> = {}) => {
    const env = { ...process.env, AVOCET_DEBUG: "3", ...limits };
    const child = spawn(process.execPath, [builtCommand, ...args, "--json"], { env });
    return { child, end: endOf(child) };
  };
  const runOn = (model: string, data = "one.npy") => ["run", shop.at(`${model}.onnx`), "--data", shop.at(data)];

  test("native code that dies is an error that says what was being done", async () => {
    const { code, json, err } = await start(runOn("divides", "lowest.npy")).end;
    expect(code).toBe(1);
    expect(json.error).toMatchObject({ code: "runtime/crashed", at: shop.at("divides.onnx") });
    expect(json.error.message).toMatch(/running .* SIGFPE/);
    expect(err).toContain("error runtime/crashed");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends a run that never comes back", async (signal) => {
    const { child, end } = start(runOn("endless"));
    await isRunning(child);
    const asked = performance.now();
    child.kill(signal);
    const { code, json } = await end;
    expect([code, json.error.code]).toEqual([130, "abort/interrupted"]);
    // The promise is two seconds; the rest is for a machine that does other things.
    expect(performance.now() - asked).toBeLessThan(3000);
  });

  test("a run that had to be killed leaves nothing beside its output", async () => {
    const before = shop.listing();
    const args = ["quantize", shop.at("waits.onnx"), "--data", shop.at("row.npy"), "-o", shop.at("never"), "--quiet"];
    const { child, end } = start(args);
    await isRunning(child);
    // Its folder is being built.
    expect(shop.listing().length).toBeGreaterThan(before.length);
    child.kill("SIGINT");
    expect((await end).code).toBe(130);
    expect(shop.listing().filter((name) => !name.endsWith(".avocet-run"))).toEqual(before);
  });

  test("the second signal does not wait", async () => {
    const { child, end } = start(runOn("endless"));
    await isRunning(child);
    const asked = performance.now();
    child.kill("SIGINT");
    await pause(100);
    child.kill("SIGINT");
    expect((await end).code).toBe(130);
    expect(performance.now() - asked).toBeLessThan(1300);
  });

  test("a run without a sign of life ends at its limit", async () => {
    const { code, json } = await start(runOn("endless"), { AVOCET_TIME_LIMIT: "4" }).end;
    expect(code).toBe(1);
    expect(json.error).toMatchObject({ code: "runtime/stalled", at: shop.at("endless.onnx") });
  });

  test("memory beyond the limit ends the work, not the machine", async () => {
    const { code, json } = await start(runOn("large"), { AVOCET_MEMORY_LIMIT: "500" }).end;
    expect(code).toBe(5);
    expect(json.error).toMatchObject({ code: "runtime/out-of-memory", at: shop.at("large.onnx") });
    expect(json.error.message).toContain("at most 500 MB");
  });

  test.skipIf(!existsSync("/proc/self/task"))("work that nobody waits for ends with its supervisor", async () => {
    const { child, end } = start(runOn("endless"));
    await isRunning(child);
    const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
    expect(isAlive(worker)).toBe(true);
    child.kill("SIGKILL");
    await end;
    await pause(500);
    expect(isAlive(worker)).toBe(false);
  });
});

function endOf(child: ChildProcess): Promise<End> {
  let [out, err] = ["", ""];
  child.stdout!.on("data", (text) => {
    out += text;
  });
  child.stderr!.on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, json: out === "" ? null : JSON.parse(out), err }));
  });
}

/** Until the debug dial says that the model was opened, and a little longer: then it is inside the runtime. */
async function isRunning(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    child.stderr!.on("data", (text) => {
      if (String(text).includes("opened")) resolve();
    });
    child.once("close", () => resolve());
  });
  await pause(200);
  expect(child.exitCode).toBeNull();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A process that ended but was not yet collected has no memory any more. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
