import { describe, expect, test } from "vitest";
import { sampleReport } from "../../test/sample-report.ts";
import type { Example } from "../analysis/inner.ts";
import { type RunReport, readReport, renderReport, writeReport } from "./inner.ts";
import { textDifference } from "./text-difference.ts";

const score: NonNullable<RunReport["score"]> = {
  metric: "m", unit: "%", better: "higher", float: 0.5, quantized: 0.4, samples: 3, interval: null, p: null, guessing: null, classes: null, namedClasses: null,
}; // biome-ignore format: one thought
const report = (...examples: Example[]): RunReport => ({
  ...sampleReport(),
  score: { ...score, examples, names: ["<cat>", "dog"] },
});
const page = (...examples: Example[]) => renderReport([{ name: "run", report: report(...examples) }]);
const base = { sample: 4, input: null, truth: null, difference: 0.25 };
const cells = (digits: string, width = 4) => ({ width, height: digits.length / width, digits });
const box = { class: 0, x1: 0.25, y1: 0, x2: 0.5, y2: 1 };

const every: Record<string, Example> = {
  texts: { ...base, truth: { kind: "text", text: "<b>right</b> here" }, float: { kind: "text", text: "<b>right</b> here" }, quantized: { kind: "text", text: "<b>rigt</b> here" } },
  boxes: { ...base, input: cells("0123456789abcdef"), truth: { kind: "boxes", boxes: [box] }, float: { kind: "boxes", boxes: [{ ...box, score: 0.875 }] }, quantized: { kind: "boxes", boxes: [] } },
  masks: { ...base, input: cells("00ff00ff"), truth: { kind: "mask", cells: cells("00110011"), classes: [1, 0] }, float: { kind: "mask", cells: cells("00110011"), classes: [1, 0] }, quantized: { kind: "mask", cells: cells("00000000"), classes: [0] } },
  signals: { ...base, truth: null, float: { kind: "signal", low: [-1, -2], high: [1, 2] }, quantized: { kind: "signal", low: [-1, 0], high: [0, 1] } },
  images: { ...base, float: { kind: "image", cells: cells("0f0f") }, quantized: { kind: "image", cells: cells("0000") } },
}; // biome-ignore format: a table

describe("samples to look at", () => {
  test.each(Object.entries(every))(
    "%s: both sides are drawn without files, and read back from report.json",
    (_, example) => {
      const text = page(example);
      expect(text).toContain("Samples to look at");
      expect(text).toContain('<h3>sample 4 <span class="soft">· 25.0 % apart</span></h3>');
      expect(text).toContain("<figcaption>quantized</figcaption>");
      expect(text).not.toMatch(/src=|url\(|NaN|undefined/);
      expect(readReport(writeReport(report(example)), "report.json").score!.examples).toEqual([example]);
    },
  );

  test("texts: what is missing is struck out, and nothing of a text is markup", () => {
    const text = page(every.texts!);
    expect(text).toContain("&#60;b&#62;rig<del>h</del>t&#60;/b&#62; here");
    expect(text).not.toContain("<b>right");
  });

  test("differences of texts: letters too many, missing, replaced", () => {
    const difference = (text: string, truth: string) =>
      textDifference([...text], [...truth]).map(({ kind, part }) => ({ same: part, more: `+${part}+`, missing: `-${part}-` })[kind]).join(""); // biome-ignore format: one thought
    expect(difference("~then built some `", "then built some")).toBe("+~+then built some+ `+");
    expect(difference("kitten", "sitting")).toBe("-s-+k+itt-i-+e+n-g-");
    expect(difference("", "ab")).toBe("-ab-");
    expect(difference("ab", "ab")).toBe("ab");
    // What is too long for the table is compared from both ends.
    const long = "x".repeat(500);
    expect(difference(`a${long}z`, `a${long.replaceAll("x", "y")}z`)).toBe(`a-${"y".repeat(500)}-+${long}+z`);
  });

  test("boxes: in shares of the picture, with name and score, the truth in both", () => {
    const text = page(every.boxes!);
    expect(text).toContain('<rect class="box " x="1" y="0" width="1" height="4"');
    expect(text).toContain("&#60;cat&#62;, score 0.88");
    expect(text.match(/class="box true"/g)).toHaveLength(2);
  });

  test("masks: runs of one class are one stroke, in the colour of the class, whatever its digit", () => {
    const text = page(every.masks!);
    // Class 0 is red (0°), class 1 the golden angle away.
    expect(text).toContain('stroke="hsl(138,75%,55%)" d="M0 0h2M0 1h2"');
    expect(text).toContain('stroke="hsl(0,75%,55%)" d="M0 0h4M0 1h4"');
    expect(text).toContain('aria-label="quantized, sample 4: &#60;cat&#62;"');
  });

  test("signals: both on one scale", () => {
    expect(page(every.signals!)).toContain('d="M0 10.5L1 1');
  });

  test("without examples, and of several runs side by side, there are none", () => {
    expect(page()).not.toContain("Samples to look at");
    const run = { name: "a", report: report(every.texts!) };
    expect(renderReport([run, { ...run, name: "b" }])).not.toContain("Samples to look at");
    expect(page({ ...every.texts!, difference: 0 })).toContain("answer alike on these");
  });

  test("a report that somebody damaged is refused", () => {
    const damaged = writeReport(report(every.images!)).replace('"digits": "0f0f"', '"digits": "0f"');
    expect(() => readReport(damaged, "report.json")).toThrow(/report of quantize/);
  });
});
