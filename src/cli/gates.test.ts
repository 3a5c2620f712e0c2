/** Gates on bytes and latency, and where gates are recorded: JUnit's XML, the summary of a job. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { junitText, openGateRecord, type RecordedRun, summaryText } from "./gate-record.ts";
import { type GatedFigures, gatesOf } from "./gates.ts";
import { safeIo } from "./io.ts";
import { amountOf, byteLimit, timeLimit } from "./limit.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

test("limits: bytes and milliseconds with their units, or a share of float's", () => {
  const most = (limit: ReturnType<typeof byteLimit>) => amountOf(limit, 200);
  expect([most(byteLimit("4000")), most(byteLimit("1.5kB")), most(byteLimit("2 KiB")), most(byteLimit("25%"))]).toEqual([4000, 1500, 2048, 50]); // biome-ignore format: pairs
  expect([most(timeLimit("2.5")), most(timeLimit("2ms")), most(timeLimit("1s")), most(timeLimit("150%"))]).toEqual([2.5, 2, 1000, 300]); // biome-ignore format: pairs
  for (const text of ["", "0", "-1", "4 parsecs", "ms", "1e999"]) {
    expect(() => byteLimit(text)).toThrow(/an amount above zero/);
    expect(() => timeLimit(text)).toThrow(/an amount above zero/);
  }
});

const figures: GatedFigures = {
  score: null,
  agreement: { simulation: null, float: 0.97, of: null, interval: null, choices: null, why: [] },
  bytes: { float: 1000, quantized: 300 },
  latencyMs: { float: 2, quantized: 3 },
};

test("each gate says what it found and what was asked for", () => {
  const gates = gatesOf({ maxBytes: byteLimit("30%"), maxLatency: timeLimit("2.9ms"), minAgreement: 0.95 }, figures);
  expect(gates.map(({ option, passed }) => [option, passed])).toEqual([["--min-agreement", true], ["--max-bytes", true], ["--max-latency", false]]); // biome-ignore format: pairs
  expect(gates[2]!.text).toBe("a sample takes 3.00 ms, at most 2.90 ms was asked for");
  expect(gatesOf({ maxBytes: byteLimit("299") }, figures)[0]).toMatchObject({ passed: false });
  const [unmeasured] = gatesOf({ maxLatency: timeLimit("1s") }, { ...figures, latencyMs: null });
  expect(unmeasured).toMatchObject({ passed: false, text: "the latency could not be measured" });
});

const run: RecordedRun = {
  command: "quantize",
  name: `net<&"'|x.onnx`,
  seconds: 1.5,
  rows: [["size", "1 kB", "300 B"]],
  warnings: [{ text: "odd \u0007 [link](x) <b>" }],
};
const gates = [{ option: "--max-bytes", passed: true, text: "" }, { option: "--max-drop", passed: false, text: 'fell by "2" < 3' }]; // biome-ignore format: a list

test("JUnit: a case a gate, names escaped, characters that XML has not spelled out", () => {
  const text = junitText(run, gates);
  expect(text).toContain('tests="2" failures="1" errors="0" time="1.500"');
  expect(text).toContain('<testsuite name="avocet quantize net&#60;&#38;&#34;&#39;|x.onnx"');
  expect(text).toContain('<failure message="fell by &#34;2&#34; &#60; 3"/>');
  expect(text).toContain("<system-out>odd \\u0007 [link](x) &#60;b&#62;\n</system-out>");
  // Every tag that opens is closed: what is left without them holds no sign of a tag.
  const stack: string[] = [];
  for (const [, close, name, self] of text.replace(/<\?.*?\?>/, "").matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)) {
    if (close) expect(stack.pop()).toBe(name);
    else if (!self) stack.push(name!);
  }
  expect(stack).toEqual([]);
  expect(junitText({ ...run, warnings: [] }, [])).toContain('name="done" time="0"/>');
});

test("a summary: names make no tables, links or tags", () => {
  const text = summaryText(run, gates);
  expect(text).toContain("| size | 1 kB | 300 B |");
  expect(text).toContain("- ❌ `--max-drop` fell by");
  expect(text).toContain("\\[link\\](x) \\<b\\>");
  expect(text.split("\n")[0]).toBe(`### avocet quantize net\\<&"'\\|x.onnx`);
});

describe("from the command line", () => {
  const quantize = (name: string, ...rest: string[]) =>
    avocetJson(["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "--preset", "fast", "-o", shop.at(name), ...rest]); // biome-ignore format: a command

  test("missed: exit 3, the result written, and so in the file, which the next run replaces", async () => {
    const junit = shop.at("gates.xml");
    const missed = await quantize("large", "--max-bytes", "10", "--max-latency", "1s", "--junit", junit);
    expect(missed.code).toBe(3);
    expect(missed.err).toMatch(/gate\/missed: the file has \d.*, at most 10 B was asked for \(at --max-bytes\)/);
    expect(readFileSync(junit, "utf8")).toMatch(/failures="1"[\s\S]*name="--max-bytes" time="0">[\s\S]*name="--max-latency" time="0"\/>/); // biome-ignore format: one pattern
    const kept = await quantize("small", "--max-bytes", "200%", "--junit", junit);
    expect(kept.code, kept.err).toBe(0);
    expect(readFileSync(junit, "utf8")).toContain('tests="1" failures="0"');
    const verified = await avocetJson(["verify", shop.at("small"), "--max-bytes", "1", "--junit", junit]);
    expect(verified.code).toBe(3);
    expect(readFileSync(junit, "utf8")).toContain('<testsuite name="avocet verify small"');
  });

  test("a file that is none of ours stays, before anything long begins", async () => {
    const stranger = shop.write("notes.xml", "<?xml version='1.0'?><notes/>");
    const run = await quantize("never", "--max-bytes", "1MB", "--junit", stranger);
    expect(run.json.error.code).toBe("output/not-ours");
    expect(readFileSync(stranger, "utf8")).toContain("<notes/>");
    expect(shop.listing().some((name) => name.startsWith("never"))).toBe(false);
    const input = await quantize("never", "--junit", shop.at("x.npy"));
    expect(input.json.error.code).toMatch(/^output\//);
  });

  test("compress has the same gates; what could not be measured is missed", async () => {
    const compress = (name: string, ...rest: string[]) => avocetJson(["compress", shop.at("tiny.onnx"), ...rest, "-o", shop.at(name)]); // biome-ignore format: a command
    const made = await compress("less", "--data", shop.at("x.npy"), "--target-macs", "0.8", "--max-bytes", "1", "--max-latency", "1s"); // biome-ignore format: a command
    expect(made.code, made.out).toBe(3);
    expect(made.err).toMatch(/--max-bytes/);
    expect(made.err).not.toMatch(/--max-latency/);
    const ratios = shop.write("ratios.json", JSON.stringify({ conv: 0.5 }));
    const blind = await compress("blind", "--fit", "plain", "--ratios", ratios, "--max-latency", "1s");
    expect(blind.err).toMatch(/the latency could not be measured/);
  });

  test("the summary of a job goes where GitHub says, behind what is there; elsewhere a line says that there is none", () => {
    const path = shop.write("summary.md", "before\n");
    let err = "";
    const io = (env: Record<string, string>) =>
      safeIo({ out: () => {}, err: (text) => { err += text; }, interactive: false, color: false, signal: new AbortController().signal, env }); // biome-ignore format: streams
    expect(openGateRecord({ githubSummary: true }, [], io({ GITHUB_STEP_SUMMARY: path })).close("", run, gates)).toBe(
      3,
    );
    expect(readFileSync(path, "utf8")).toBe(`before\n${summaryText(run, gates)}`);
    expect(openGateRecord({ githubSummary: true }, [], io({})).close("", run, [])).toBe(0);
    expect(err).toMatch(/no GITHUB_STEP_SUMMARY here/);
  });
});
