/** The committed table of mutation testing: nothing lives without a reason, and a row knows whether its code has changed since. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const { openOf, shareFound, total } = await import("../bench/mutation/page.mjs");
const { codeOf, stateOf } = await import("../bench/mutation/state.mjs");
const { groups } = await import("../bench/mutation/groups.mjs");

interface Row {
  readonly group: string;
  readonly code: string;
  readonly killed: number;
  readonly timeout: number;
  readonly survived: number;
  readonly noCoverage: number;
}
const json = (name: string) => JSON.parse(readFileSync(new URL(`../bench/${name}`, import.meta.url), "utf8"));
const stored: Record<string, Row> = json("results/mutation.json");
const reasons = json("mutation/reasons.json");

/** Files with survivors that the table calls open: a test is missing, or a reason. */
const open = [
  "src/autodiff/rules/recurrent/direction.ts",
  "src/autodiff/rules/recurrent/gate-functions.ts",
  "src/autodiff/rules/shape/containers.ts",
  "src/quant/lower/draft.ts",
  "src/quant/lower/dynamic-quantize-lstm.ts",
  "src/quant/lower/kernel-report.ts",
  "src/quant/lower/sorted-json.ts",
  "src/quant/observers/growing-histogram.ts",
  "src/quant/observers/output-gain.ts",
  "src/quant/observers/percentile.ts",
  "src/quant/place/narrow-convolutions.ts",
  "src/quant/place/precisions.ts",
  "src/quant/place/score-convolutions.ts",
  "src/quant/place/selectors.ts",
];

describe("the table", () => {
  test("has a reason for every survivor, but for those of files that are open", () => {
    const found = Object.entries(stored).flatMap(([name, file]) =>
      openOf(name, file, reasons).map(
        (one: { line: number; original: string; replacement: string }) =>
          `${name}:${one.line} ${one.original} => ${one.replacement}`,
      ),
    );
    expect(found.filter((text) => !open.some((name) => text.startsWith(`${name}:`)))).toEqual([]);
    expect(open.filter((name) => !found.some((text) => text.startsWith(`${name}:`)))).toEqual([]);
  });

  test.each(Object.keys(groups))("nine of ten mutants of %s are found", (group) => {
    const rows = Object.values(stored).filter((row) => row.group === group);
    const sum = { killed: 0, timeout: 0, survived: 0, noCoverage: 0 };
    for (const row of rows) for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += row[key];
    expect(total(sum)).toBeGreaterThan(0);
    expect(shareFound(sum)).toBeGreaterThanOrEqual(0.9);
  });
});

test("a file without a row, and one whose code is another than that of its row, are told", () => {
  const path = "src/quant/lower/draft.ts";
  const lines = ["/** What it is. */", "export const a = 1;", "", "  // Why.", "const b = 2;"];
  const state = (before: readonly string[] | undefined, now: readonly string[]) =>
    stateOf(before ? { [path]: { code: codeOf(before) } } : {}, new Map([[path, now]])).lower;
  expect(state(undefined, lines)).toEqual({ files: 1, missing: [path], changed: [] });
  expect(state(lines, ["", "// Said otherwise.", "export const a = 1;", "const b = 2;"])).toMatchObject({
    changed: [],
  });
  expect(state(lines, [...lines, "a++;"])).toMatchObject({ missing: [], changed: [path] });
});
