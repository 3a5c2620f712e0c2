import { describe, expect, test } from "vitest";
import { sampleReport } from "../../test/sample-report.ts";
import { nextSteps, renderReport, verdictSentence } from "./index.ts";

describe("a report page", () => {
  const report = sampleReport();
  const page = renderReport([{ name: "run", report }]);

  test("says the verdict first", () => {
    expect(verdictSentence(report)).toBe("tiny.onnx loses 3.62 points, is 3.2× smaller and 2.0× faster.");
    expect(page.indexOf("loses 3.62 points")).toBeLessThan(page.indexOf("Signal along the graph"));
  });

  test("needs nothing from elsewhere", () => {
    expect(page).not.toMatch(/<script|<link|@import|url\(|src=|https?:/);
    expect(page).toContain("default-src 'none'");
  });

  test("escapes names of the model, which strangers chose", () => {
    const evil = { ...report, left: [{ value: "<img src=x onerror=alert(1)>", reason: "\"'&" }] };
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
      agreement: { simulation: null, float: null },
      values: report.values.map((v) => ({ ...v, sqnr: Number.POSITIVE_INFINITY })),
      weights: [],
      left: [],
      differences: [],
      outputs: [{ name: "y", sqnr: Number.POSITIVE_INFINITY, cosine: 1 }],
    };
    const text = renderReport([{ name: "bare", report: bare }]);
    expect(text).not.toMatch(/NaN|undefined|null/);
    expect(verdictSentence(bare)).toContain("is quantized");
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

describe("advice", () => {
  test("names the figure it rests on", () => {
    const text = nextSteps(sampleReport()).join("\n");
    expect(text).toContain("--granularity channel");
    expect(text).toContain("w0");
    expect(text).toContain("clipping");
  });

  test("most noise is what is added beside the signal, not the longest fall of a clean value", () => {
    const [a, b] = sampleReport().values;
    const values = [
      { ...a!, name: "clean", sqnr: 40, fall: 30, layer: "l1" },
      { ...b!, name: "noisy", sqnr: 10, fall: 9, layer: "l2" },
    ];
    const text = nextSteps({ ...sampleReport(), values }).join("\n");
    expect(text).toContain("--float l2 --float noisy");
    expect(text).not.toContain("--float l1");
  });

  test("ties are told where they are many, clipping not where nothing clips anyway", () => {
    const { settings, ...rest } = sampleReport();
    expect(nextSteps({ ...rest, settings, ties: 0.1 }).join("\n")).toContain("On 10.0 % of the decisions");
    expect(nextSteps({ ...rest, settings, ties: 0 }).join("\n")).not.toContain("of the decisions");
    expect(nextSteps({ ...rest, settings: { ...settings, calibration: "minmax" } }).join("\n")).not.toContain(
      "clipping",
    );
  });

  test("a run that lost nothing gets no remedies, even where signal fell", () => {
    const score = { metric: "top1", float: 0.9, quantized: 0.9, samples: 10 };
    expect(nextSteps({ ...sampleReport(), score }).join("\n")).not.toMatch(/--float|--granularity|--activations/);
  });

  test("a good run is told to ship", () => {
    const good = {
      ...sampleReport(),
      score: { metric: "top1", float: 0.9, quantized: 0.9, samples: 10 },
      kernels: { integer: 9, float: [] },
    };
    expect(nextSteps(good)).toEqual(["Nothing stands out. Ship it; --weights int4 shows how much smaller it can be."]);
  });
});
