import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { sampleReport } from "../../test/sample-report.ts";
import {
  nextSteps,
  type RunReport,
  readReport,
  renderReport,
  type ScoreReport,
  verdictSentence,
  warningsOf,
  writeReport,
} from "./inner.ts";

describe("a report page", () => {
  const report = sampleReport();
  const page = renderReport([{ name: "run", report }]);

  test("says the verdict first", () => {
    expect(verdictSentence(report)).toBe("tiny.onnx loses 3.62 points, is 3.2× smaller and 2.0× faster.");
    expect(page.indexOf("loses 3.62 points")).toBeLessThan(page.indexOf("Signal along the graph"));
  });

  test("needs nothing from elsewhere", () => {
    expect(page).not.toMatch(/<script [^>]|<link|@import|url\(|src=|https?:/);
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll("&#39;", "'");
    const [, script] = /<script>([\s\S]*?)<\/script>/.exec(page)!;
    const hash = createHash("sha256").update(script!).digest("base64");
    expect(policy, `the script changed: write its hash into script.ts: ${hash}`).toBe(
      `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`,
    );
    expect(page.match(/<script>/g)).toHaveLength(1);
  });

  test("escapes names of the model, which strangers chose", () => {
    const evil = { ...report, notQuantized: [{ value: "<img src=x onerror=alert(1)>", reason: "\"'&" }] };
    expect(renderReport([{ name: "run", report: evil }])).not.toContain("<img");
  });

  test("shows every kind of figure", () => {
    for (const text of [
      "58.75 %",
      "55.13 %",
      "91.2 %",
      "601.2 kB",
      "1.17 ms",
      "1.20 % clipped",
      "its output passes Clip",
      "fold-batch-norm",
    ]) {
      expect(page).toContain(text);
    }
  });

  test("stays small for a large model", () => {
    const large = renderReport([{ name: "large", report: sampleReport("large.onnx", 1000) }]);
    expect(large.length).toBeLessThan(1_500_000);
  });

  test("draws no NaN for exact values and empty parts", () => {
    const bare = {
      ...report,
      score: null,
      agreement: { simulation: null, float: null, of: null, interval: null, choices: null, why: [] },
      values: report.values.map((v) => ({ ...v, sqnr: Number.POSITIVE_INFINITY })),
      weights: [],
      notQuantized: [],
      differences: [],
      outputs: [{ name: "y", sqnr: Number.POSITIVE_INFINITY, cosine: 1 }],
    };
    const text = renderReport([{ name: "bare", report: bare }]).replace(/<script>[\s\S]*/, "");
    expect(text).not.toMatch(/NaN|undefined|null/);
    expect(verdictSentence(bare)).toContain("gives the same outputs as float");
  });
});

describe("several runs", () => {
  test("are compared in one table that shows only what differs", () => {
    const a = sampleReport("a.onnx");
    const b = { ...sampleReport("a.onnx"), settings: { ...a.settings, calibration: "minmax" } };
    const page = renderReport([
      { name: "a", report: a },
      { name: "b", report: b },
    ]);
    const table = page.slice(page.indexOf("<table"), page.indexOf("</table>"));
    expect(table).toContain("minmax");
    expect(table).not.toContain("ort-cpu");
  });
});

const score = (float: number, quantized: number, samples: number): ScoreReport => {
  const half = 1 / Math.sqrt(samples);
  const around = (x: number) => [x - half, x + half] as const;
  return {
    metric: "top1",
    unit: "%",
    better: "higher",
    float,
    quantized,
    samples,
    interval: { float: around(float), quantized: around(quantized), lost: around(float - quantized) },
    p: 1,
    guessing: { chance: 0.1, commonest: 0.2 },
    classes: 10,
    namedClasses: null,
  };
};
/** As it would be judged. */
const judged = (report: RunReport): RunReport => ({ ...report, warnings: warningsOf(report) });
const said = (report: RunReport) => nextSteps(report).map(({ text, command }) => `${text}\n${command ?? ""}`).join("\n"); // biome-ignore format: one call

describe("scores in other units", () => {
  const scored = (unit: string, better: ScoreReport["better"], float: number, quantized: number): RunReport => ({
    ...sampleReport(),
    score: { ...score(float, quantized, 100), metric: "own", unit, better, interval: null, guessing: null },
    warnings: [],
  });

  test("a loss is what is worse, in the unit, whichever way is better", () => {
    expect(verdictSentence(scored("dB", "higher", 31.5, 31.25))).toContain("loses 0.25 dB");
    expect(verdictSentence(scored("m", "lower", 0.2, 0.25))).toContain("loses 0.05 m");
    expect(verdictSentence(scored("m", "lower", 0.25, 0.2))).toContain("gains 0.05 m");
    expect(verdictSentence(scored("dB", "higher", Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY))).toContain("scores as float"); // biome-ignore format: a call
    const page = renderReport([{ name: "a", report: scored("m", "lower", 0.2, 0.25) }]);
    expect(page).toContain('<b class="bad">+0.05 m</b>');
    expect(page).toContain("0.25 m");
  });

  test("good and bad are points, tenths of dB, or hundredths of float's score", () => {
    const mood = (report: RunReport) => /<b class="(good|warn|bad)">[−+±][^<]*<\/b>/.exec(renderReport([{ name: "a", report }]))?.[1]; // biome-ignore format: a call
    expect([31.45, 31.35, 31.2].map((quantized) => mood(scored("dB", "higher", 31.5, quantized)))).toEqual(["good", "warn", "bad"]); // biome-ignore format: a row
    expect([2.01, 2.03, 2.05].map((quantized) => mood(scored("m", "lower", 2, quantized)))).toEqual(["good", "warn", "bad"]); // biome-ignore format: a row
    expect([0.495, 0.485, 0.47].map((quantized) => mood(scored("%", "higher", 0.5, quantized)))).toEqual(["good", "warn", "bad"]); // biome-ignore format: a row
  });

  test("come back from JSON; older reports have shares", () => {
    const report = scored("dB", "higher", Number.POSITIVE_INFINITY, 31);
    expect(readReport(writeReport(report), "report.json").score).toEqual(report.score);
    const { unit: _u, better: _b, ...old } = sampleReport().score!;
    const text = JSON.stringify({ ...sampleReport(), score: old });
    expect(readReport(text, "report.json").score).toMatchObject({ unit: "%", better: "higher" });
  });

  test("the best of several runs is the lowest error, and none of several metrics", () => {
    const page = (...runs: RunReport[]) => renderReport(runs.map((report, i) => ({ name: `run${i}`, report })));
    expect(page(scored("m", "lower", 0.2, 0.25), scored("m", "lower", 0.2, 0.21))).toContain(
      '<span class="good">0.21 m',
    );
    expect(page(scored("m", "lower", 0.2, 0.25), { ...sampleReport(), warnings: [] })).not.toContain(
      '<span class="good">',
    );
  });
});

describe("advice", () => {
  test("names the figure it rests on, and the command that tries it", () => {
    const text = said(sampleReport());
    expect(text).toContain("avocet quantize tiny.onnx --data 'my pictures/' --granularity channel -o out-channel");
    expect(text).toContain("w0");
    expect(text).toContain("clipping");
  });

  test("Avocet's own remedies come with their commands, those that were used already do not", () => {
    const { settings, ...rest } = sampleReport();
    const text = said({ ...rest, settings: { ...settings, preset: "standard" } });
    for (const command of [
      "avocet quantize tiny.onnx --data 'my pictures/' --preset best -o out-best",
      "--method dead-channels --method reconstruction -o out-reconstruction",
      "avocet train tiny.onnx --data 'my pictures/' -o out-trained",
    ]) {
      expect(text).toContain(command);
    }
    expect(said({ ...rest, settings: { ...settings, preset: "best" } })).not.toContain("--preset best");
    expect(said({ ...rest, settings: { ...settings, preset: "standard", training: "4 epochs" } })).not.toContain("avocet train"); // biome-ignore format: a call
  });

  test("most noise is what is added beside the signal, not the longest fall of a clean value", () => {
    const [a, b] = sampleReport().values;
    const values = [
      { ...a!, name: "clean", sqnr: 40, fall: 30, layer: "l1" },
      { ...b!, name: "noisy", sqnr: 10, fall: 9, layer: "l2" },
    ];
    const text = said({ ...sampleReport(), values });
    expect(text).toContain("--float l2 --float noisy");
    expect(text).not.toContain("--float l1");
  });

  test("noise of 4-bit weights asks for better rounding, and for float only when that was tried", () => {
    const { settings, values, ...rest } = sampleReport();
    const noisy = values.map((value) => ({ ...value, sqnr: 10, fall: 9, layer: "l" }));
    const at = (weights: string, preset: string) =>
      said({ ...rest, values: noisy, settings: { ...settings, weights, preset } });
    expect(at("int4 per channel", "fast")).toContain("--preset standard -o out-standard");
    for (const preset of ["fast", "standard"]) {
      expect(at("int4 per channel", preset)).toContain("--preset best");
      expect(at("int4 per channel", preset)).not.toContain("--float l");
      expect(at("int8 per channel", preset)).toContain("--float l");
    }
    expect(at("int4 per channel", "best")).toContain("--float l");
    expect(at("int4 per channel", "standard")).not.toContain("--preset standard");
  });

  test("ties are told where they are many, clipping not where nothing clips anyway", () => {
    const { settings, ...rest } = sampleReport();
    expect(said({ ...rest, settings, ties: 0.1 })).toContain("On 10.0 % of the decisions");
    expect(said({ ...rest, settings, ties: 0 })).not.toContain("of the decisions");
    expect(said({ ...rest, settings: { ...settings, calibration: "minmax" } })).not.toContain("clipping");
  });

  test("a run that lost nothing gets no remedies, even where signal fell", () => {
    expect(said({ ...sampleReport(), score: score(0.9, 0.9, 10) })).not.toMatch(/--float|--granularity|--activations/);
  });

  const good = { ...sampleReport(), kernels: { integer: 9, float: [] } };

  test("a good run on enough samples is told to ship, with what is certain", () => {
    expect(nextSteps(judged({ ...good, score: score(0.9, 0.9, 40_000) }))).toEqual([
      {
        text: "Nothing stands out. Ship it. With 95 % certainty it loses 0.50 points at most. --weights int4 shows how much smaller it can be.",
        command: "avocet quantize tiny.onnx --data 'my pictures/' --weights int4 -o out-int4",
      },
    ]);
  });

  test.each([
    ["few samples", { score: score(0.9, 0.9, 100) }, /cannot rule out a loss of 10.00 points/],
    ["float that guesses", { score: score(0.1, 0.1, 400) }, /nothing follows from the scores/],
    ["labels of other classes", { score: { ...score(0.9, 0.9, 40_000), namedClasses: 7 } }, /--classes FILE/],
    [
      "numbers that are none",
      { score: score(0.9, 0.9, 40_000), outputs: [{ name: "y", sqnr: Number.NaN, cosine: 0 }] },
      /not finite/,
    ],
    ["no labels", { score: null }, /No labelled data/],
  ] as const)("%s: not told to ship", (_, more, wanted) => {
    const text = said(judged({ ...good, ...more }));
    expect(text).not.toContain("Ship it");
    expect(text).toMatch(wanted);
  });
});

describe("the verdict", () => {
  test.each([
    ["a loss beyond noise", { score: score(0.9, 0.8, 10_000) }, "loses 10.00 points, is"],
    [
      "a loss within it",
      { score: score(0.9, 0.895, 100) },
      "loses 0.50 points, within noise (-9.50 points to 10.50 points of loss)",
    ],
    ["no difference", { score: score(0.9, 0.9, 100) }, "scores as float on 100 samples, within noise"],
    ["float that guesses", { score: score(0, 0, 100) }, "was not judged (float scores 0.00 %"],
    [
      "agreement of pixels",
      { score: null, agreement: { ...sampleReport().agreement, of: "pixels" } },
      "chooses the same class as float for 91.2 % of the pixels",
    ],
    [
      "no classes",
      { score: null, agreement: { ...sampleReport().agreement, float: null } },
      "keeps its outputs to 17.3 dB",
    ],
    ["a larger file", { bytes: { float: 100, quantized: 200 } }, "is 2.0× larger"],
    ["as large", { bytes: { float: 100, quantized: 98 } }, "is as large"],
    ["slower", { latencyMs: { float: 1, quantized: 2 } }, "and 2.0× slower"],
    ["not timed", { latencyMs: null }, "smaller."],
  ] as const)("%s", (_, more, wanted) => {
    expect(verdictSentence(judged({ ...sampleReport(), ...more }))).toContain(wanted);
  });
});

describe("warnings", () => {
  const noDecisions = { ...sampleReport().agreement, float: null };
  const far = (sqnr: number) => ({ ...sampleReport().outputs[0]!, sqnr });
  const noise = { data: "noise", seen: 0, samples: 40 } as const;
  const kinds = (more: Partial<RunReport>) => warningsOf({ ...sampleReport(), ...more }).map(({ kind }) => kind);

  test.each([
    ["nothing to warn of", {}, []],
    ["near chance", { score: score(0.1, 0.1, 400) }, ["near-chance", "within-noise"]],
    ["an interval that reaches chance", { score: score(0.25, 0.25, 30) }, ["near-chance", "within-noise"]],
    ["no better than the commonest label", { score: score(0.2, 0.1, 10_000) }, ["near-chance"]],
    ["label folders", { score: { ...sampleReport().score!, namedClasses: 100 } }, ["class-count"]],
    ["calibration data", { judgedOn: { data: "calibration", seen: 40, samples: 40 } }, ["seen-data"]],
    ["within noise", { score: score(0.9, 0.89, 400) }, ["within-noise"]],
    ["one class", { agreement: { ...sampleReport().agreement, choices: 1 } }, ["one-class"]],
    ["mostly float", { model: { ...sampleReport().model, quantized: 100 } }, ["mostly-float"]],
    ["slower", { latencyMs: { float: 1, quantized: 2 } }, ["slower"]],
    ["larger", { bytes: { float: 1, quantized: 2 } }, ["larger"]],
    ["decisions far off", { score: null, agreement: { ...sampleReport().agreement, float: 0.79 } }, ["far-off"]],
    ["decisions near enough", { score: null, agreement: { ...sampleReport().agreement, float: 0.81 } }, []],
    ["numbers far off", { score: null, agreement: noDecisions, outputs: [far(9.9)] }, ["far-off"]],
    ["numbers near enough", { score: null, agreement: noDecisions, outputs: [far(10)] }, []],
    ["noise as data", { score: null, agreement: noDecisions, outputs: [far(3)], judgedOn: noise }, []],
    ["not judged", { unjudged: [{ what: "latency", reason: "runtime/run: no" }] }, ["not-judged"]],
  ] as const)("%s", (_, more, wanted) => {
    expect(kinds(more as Partial<RunReport>)).toEqual(wanted);
  });
});

test("the kernels that lose against float are named, the heaviest three", () => {
  const losses = ["QLinearAveragePool", "Softmax", "QuantizeLinear", "Pad"].map((kernel, i) => ({
    kernel,
    node: `node_${i}`,
    float: 0.1,
    quantized: 1.5 - 0.1 * i,
  }));
  const latencyMs = { float: 1, quantized: 2, losses };
  const report = { ...sampleReport(), latencyMs };
  const [warning] = warningsOf(report);
  expect(warning!.text).toMatch(
    /^slower than float on this machine: 1\.00 ms → 2\.00 ms.*; it loses in QLinearAveragePool \(0\.10 ms → 1\.50 ms, most in node_0\), Softmax \(.*\), QuantizeLinear \(.*\)$/,
  );
  expect(warning!.text).not.toContain("Pad");
  expect(readReport(writeReport(report), "report.json")).toEqual(report);
});

describe("report.json", () => {
  test("is read back as it was, with the decibels of what is exact and of what is no number", () => {
    const report = sampleReport();
    const values = [
      { ...report.values[0]!, sqnr: Number.POSITIVE_INFINITY },
      { ...report.values[1]!, sqnr: Number.NaN },
    ];
    const whole = { ...report, values };
    expect(readReport(writeReport(whole), "report.json")).toEqual(whole);
  });

  test.each(["null", "{}", "[]", '{"version":1,"values":[]}', "{", "", '"report"', "[".repeat(100_000)])(
    "%s is malformed",
    (text) => {
      expect(() => readReport(text, "report.json")).toThrow(
        expect.objectContaining({ code: "import/malformed", detail: expect.objectContaining({ at: "report.json" }) }),
      );
    },
  );

  test("every field that is of another type is refused, and says where", () => {
    const report = JSON.parse(writeReport(sampleReport()));
    for (const key of Object.keys(report)) {
      const wrong = JSON.stringify({ ...report, [key]: 7.5 === report[key] ? "x" : { not: "this" } });
      if (["settings", "seconds"].includes(key)) continue;
      expect(() => readReport(wrong, "report.json"), key).toThrow(new RegExp(`at ${key}`));
    }
  });
});
