/**
 * Every call to the disk that a command makes fails once: by a fault, by a disk that is full from there on, by a kill. Inputs stay, the
 * output is the old one or the new one, whole, nothing is left over, and the same command then ends well. `npm test` takes calls of every
 * kind; AVOCET_FAULTS=all (bench/faults.mjs) takes all of them.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeNpy } from "../src/data/inner-files.ts";
import { parseModel } from "../src/ir/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocet, commandHelp, tinyText, workshop, writeSafetensors } from "./command-line.ts";
import { breakDisk, type DiskCall, type FaultKind, recordDisk } from "./faulty-disk.ts";

declare module "vitest" {
  interface TaskMeta {
    /** For the table of bench/faults.mjs: at how many calls the command was broken. */
    tried?: number;
  }
}

interface Scenario {
  readonly args: readonly string[];
  readonly output: string;
  /** What makes the output that is there before: the command is run with --force. */
  readonly before?: readonly string[];
  /** At how many calls of each kind of fault it is broken, where not at all of them. Default 10. */
  readonly points?: number;
}

const few = ["--samples", "4", "--threads", "1", "--quiet"];
const quick = ["--preset", "fast", ...few];
const quantize = ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", ...quick];
const other = ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", ...quick, "--calibration", "minmax"];
const scenarios: Record<string, Scenario> = {
  quantize: { args: quantize, output: "out" },
  "quantize over a result": { args: [...quantize, "--force"], output: "out", before: other },
  train: {
    args: ["train", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", ...quick, "--epochs", "1", "--batch", "4"],
    output: "out",
    points: 4,
  },
  optimize: { args: ["optimize", "$/tiny.onnx", "-o", "$/o.onnx"], output: "o.onnx" },
  "optimize over a model": {
    args: ["optimize", "$/tiny.onnx", "-o", "$/o.onnx", "--force"],
    output: "o.onnx",
    before: ["upgrade", "$/other.onnx", "-o", "$/o.onnx"],
  },
  "convert with weights beside": {
    args: ["convert", "$/tiny.onnx", "-o", "$/o.onnx", "--external", "always"],
    output: "o.onnx",
  },
  "convert over a pair": {
    args: ["convert", "$/tiny.onnx", "-o", "$/o.onnx", "--external", "always", "--shard-bytes", "4096", "--force"],
    output: "o.onnx",
    before: ["convert", "$/other.onnx", "-o", "$/o.onnx", "--external", "always"],
  },
  upgrade: { args: ["upgrade", "$/tiny.onnx", "-o", "$/o.onnx", "--opset", "22"], output: "o.onnx" },
  extract: { args: ["extract", "$/tiny.onnx", "-o", "$/o.onnx", "--to", "r"], output: "o.onnx" },
  print: { args: ["print", "$/tiny.onnx", "-o", "$/o.txt"], output: "o.txt" },
  plan: { args: ["plan", "$/tiny.onnx", "-o", "$/p.json"], output: "p.json" },
  run: {
    args: ["run", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/y.npz", "--threads", "1", "--quiet"],
    output: "y.npz",
  },
  "run over arrays": {
    args: ["run", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/y.npz", "--threads", "1", "--quiet", "--force"],
    output: "y.npz",
    before: ["run", "$/other.onnx", "--data", "$/x.npy", "-o", "$/y.npz", "--threads", "1", "--quiet"],
  },
  report: { args: ["report", "$/made", "-o", "$/page.html"], output: "page.html" },
  "report over a page": {
    args: ["report", "$/made", "-o", "$/page.html", "--force"],
    output: "page.html",
    before: ["report", "$/made", "$/made", "-o", "$/page.html"],
  },
  export: { args: ["export", "$/made", "-o", "$/e.json"], output: "e.json" },
  weights: {
    args: ["weights", "$/other.onnx", "--from", "$/w.safetensors", "-o", "$/o.onnx"],
    output: "o.onnx",
  },
  "import encodings": {
    args: ["import", "$/made/e.encodings", "--model", "$/made/float.onnx", "-o", "$/p.json"],
    output: "p.json",
  },
  "import encodings as a model": {
    args: ["import", "$/made/e.encodings", "--model", "$/made/float.onnx", "-o", "$/o.onnx"],
    output: "o.onnx",
  },
  "import a quantized model": { args: ["import", "$/made/model.onnx", "-o", "$/p.json"], output: "p.json" },
  observe: { args: ["observe", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/s.json", ...few], output: "s.json" },
  "inspect weights": { args: ["inspect", "$/tiny.onnx", "--weights", "-o", "$/page.html"], output: "page.html" },
  compress: {
    args: ["compress", ...["$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", "--target-macs", "0.5"], ...few],
    output: "out",
    points: 4,
  },
  "verify with a record": {
    args: ["verify", "$/made", "--junit", "$/gates.xml", "--min-agreement", "0.1", ...few],
    output: "gates.xml",
    points: 4,
  },
};

const all = process.env.AVOCET_FAULTS === "all";
let root = "";
/** Where a trial runs: always the same path, since recipes hold it. */
const work = () => join(root, "work");
const run = (args: readonly string[]) => avocet([...args.map((arg) => arg.replaceAll("$", work())), "--json"]);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "avocet-faults-"));
  using shop = await workshop();
  await shop.model("other.onnx", parseModel(tinyText, { seed: 3 }));
  rmSync(shop.at("y.npy"));
  writeFileSync(
    shop.at("x.npy"),
    writeNpy(
      Tensor.float32(
        [8, 8, 6, 6],
        Float32Array.from({ length: 8 * 288 }, (_, i) => Math.sin(i)),
      ),
    ),
  );
  const weight = (shape: number[], size: number) =>
    Tensor.float32(shape, Float32Array.from({ length: size }, Math.cos));
  const weights = { w1: weight([16, 8, 3, 3], 1152), b1: weight([16], 16), w2: weight([5, 16], 80) };
  shop.write("w.safetensors", writeSafetensors(weights));
  cpSync(shop.folder, work(), { recursive: true });
  const made = await run(quantize.map((arg) => (arg === "$/out" ? "$/made" : arg)));
  expect(made.code, made.err).toBe(0);
  const exported = await run(["export", "$/made", "-o", "$/made/e.encodings"]);
  expect(exported.code, exported.err).toBe(0);
  cpSync(work(), join(root, "inputs"), { recursive: true, preserveTimestamps: true });
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Names and digests of what an output consists of. What reports times, or where it was made, is left out. */
function stateOf(output: string): string {
  const digest = (path: string) => {
    // A record holds times, and warns of what a fault left unjudged.
    const lasting = path.endsWith(".xml")
      ? readFileSync(path, "utf8").replace(/ time="[^"]*"| *<system-out>[\s\S]*<\/system-out>\n/g, "")
      : readFileSync(path);
    return createHash("sha256").update(lasting).digest("hex").slice(0, 12);
  };
  const place = join(work(), output);
  if (!existsSync(place)) return "nothing";
  if (lstatSync(place).isDirectory()) {
    const names = readdirSync(place).filter((name) => !/^report\.|^\.avocet/.test(name));
    return names.map((name) => `${name} ${digest(join(place, name))}`).join(", ");
  }
  const beside = readdirSync(work()).filter(
    (name) => name.startsWith(`${output}.`) && readFileSync(place).includes(name),
  );
  return [output, ...beside].map((name) => `${name} ${digest(join(work(), name))}`).join(", ");
}

const inputs = ["tiny.onnx", "other.onnx", "x.npy", "w.safetensors", "made"];
const inputState = () => inputs.map(stateOf).join("; ");
const listing = () => readdirSync(work(), { recursive: true }).map(String).sort();

/** The calls to break: one of each kind on each kind of file, and of these some; or all. */
function chosen(calls: readonly DiskCall[], { points = 10 }: Scenario, kind: FaultKind): readonly DiskCall[] {
  if (all) return calls;
  const seen = new Set<string>();
  const firsts = calls.filter(({ call, path }) => {
    const what = `${call} ${basename(path).replace(/[0-9a-f]{8,}/g, "#")}`;
    return !seen.has(what) && seen.add(what);
  });
  // A kill matters between calls that change something, a full disk where something is made.
  const changing =
    kind === "kill"
      ? /^(create|mkdir|rename|link|unlink|rmdir|write)$/
      : kind === "full"
        ? /^(create|write|mkdir|link)$/
        : /./;
  const useful = firsts.filter(({ call }) => changing.test(call));
  const step = Math.max(1, Math.ceil(useful.length / points));
  // Where the old becomes the new none is left out.
  const turning = ({ call, path }: DiskCall) =>
    kind === "kill" && /^(rename|link)$/.test(call) && !/staging|checkpoint|lock/.test(path);
  return useful.filter((call, i) => i % step === 0 || turning(call));
}

test("every command that writes a file has a row", async () => {
  const writing = [...(await commandHelp())].filter(([, help]) => /^ {2}(-o, --output|--junit) /m.test(help));
  expect(writing.length).toBeGreaterThan(10);
  const rows = new Set(Object.values(scenarios).map(({ args }) => args[0]));
  expect(writing.map(([name]) => name).filter((name) => !rows.has(name))).toEqual([]);
});

describe.each(Object.entries(scenarios))("%s", (_, scenario) => {
  let calls: DiskCall[] = [];
  let [old, fresh, known, untouched]: [string, string, string[], string] = ["", "", [], ""];
  const reset = async () => {
    rmSync(work(), { recursive: true, force: true });
    cpSync(join(root, "inputs"), work(), { recursive: true, preserveTimestamps: true });
    if (existsSync(join(root, "before")))
      cpSync(join(root, "before"), work(), { recursive: true, preserveTimestamps: true });
  };

  beforeAll(async () => {
    rmSync(join(root, "before"), { recursive: true, force: true });
    await reset();
    if (scenario.before) {
      const made = await run(scenario.before);
      expect(made.code, made.err).toBe(0);
      cpSync(work(), join(root, "before"), { recursive: true, preserveTimestamps: true });
    }
    [old, untouched] = [stateOf(scenario.output), inputState()];
    calls = await recordDisk(async () => {
      const { code, err } = await run(scenario.args);
      expect(code, err).toBe(0);
    });
    [fresh, known] = [stateOf(scenario.output), listing()];
    expect(fresh).not.toBe(old);
    expect(calls.length).toBeGreaterThan(10);
  }, 60_000);

  test.for(["fault", "full", "kill"] as const)("%s", { timeout: all ? 3_600_000 : 60_000 }, async (kind, { task }) => {
    task.meta.tried = chosen(calls, scenario, kind).length;
    for (const at of chosen(calls, scenario, kind)) {
      const place = `${kind} at ${at.call} ${at.path.replace(work(), "$")} (${at.nth})`;
      await reset();
      const broken = await (async () => {
        using disk = breakDisk(kind, at);
        const ended = await run(scenario.args);
        return { ...ended, hit: disk.hit };
      })();
      expect(broken.hit, place).toBe(true);
      expect(inputState(), place).toBe(untouched);
      const left = stateOf(scenario.output);
      const aside = existsSync(join(work(), `.${scenario.output}.avocet-old`));
      // Between two renames of a folder neither has the name; both are there, and the next run puts one back.
      if (!(kind === "kill" && aside)) expect([old, fresh], place).toContain(left);
      if (kind !== "kill") {
        const document = JSON.parse(broken.out);
        if (broken.code === 0) expect(left, place).toBe(fresh);
        else expect(document.error.code, `${place}\n${broken.err}`).toMatch(/^(output|import|data|resume)\//);
        // What can't be removed because removing fails stays until the next run.
        const removing = /^(unlink|rmdir|list|lstat|close|open|read|fstat)$/.test(at.call);
        const litter = listing().filter(
          (name) => name.includes(".avocet-") && !/avocet-checkpoint(\/[^.]+\.(bin|json))?$/.test(name),
        );
        if (!removing || kind === "full") expect(litter, place).toEqual([]);
      }
      if (aside) {
        const back = left === "nothing" ? old : left;
        const refused = await run(scenario.args.filter((arg) => arg !== "--force"));
        expect([refused.code, stateOf(scenario.output)], place).toEqual([2, back]);
      }
      const again = [...scenario.args];
      // A record is replaced by every run, without being asked.
      const takesForce = !scenario.output.endsWith(".xml");
      if (takesForce && existsSync(join(work(), scenario.output)) && !again.includes("--force")) again.push("--force");
      if (existsSync(join(work(), `.${scenario.output}.avocet-checkpoint`))) again.push("--resume");
      const repeated = await run(again);
      expect(repeated.code, `${place}, then ${repeated.err}`).toBe(0);
      expect(stateOf(scenario.output), place).toBe(fresh);
      expect(listing(), place).toEqual(known);
      expect(inputState(), place).toBe(untouched);
    }
  });
});
