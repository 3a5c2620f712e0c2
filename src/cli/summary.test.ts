/** What people read at the end. */
import { expect, test } from "vitest";
import { sampleReport } from "../../test/sample-report.ts";
import { summary } from "./summary.ts";

test("steps that were undone are told with their figures, those that were kept are not", () => {
  const step = (step: string, note: string) => ({ step, edits: 1, seconds: 1, notes: [note, "Conv c: skipped"] });
  const steps = [
    step("dead-channels", "kept: output SQNR 20.00 → 21.00 dB on samples set aside"),
    step("adaround", "undone: output SQNR 21.00 → 19.50 dB on samples set aside"),
  ];
  const text = summary({ ...sampleReport(), steps }, "out");
  expect(text).toContain("\nadaround undone: output SQNR 21.00 → 19.50 dB on samples set aside\nout/model.onnx ships");
  expect(text).not.toContain("dead-channels");
});
