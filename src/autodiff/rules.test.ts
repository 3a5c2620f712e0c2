/** The table as a whole: every rule has a case against central differences. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gradientRows } from "./rules.ts";

/**
 * Operators that the texts of the conformance tests name: as a call, `Relu(x)` or `Relu <alpha = 1> (x)`, or as a string of
 * their own that a helper makes calls of.
 */
function testedOperators(): Set<string> {
  const folder = new URL("./rules/", import.meta.url);
  const found = new Set<string>();
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".test.ts"),
  )) {
    const text = readFileSync(new URL(file, folder), "utf8");
    if (!/gradientSuite|expectGradients/.test(text)) continue;
    for (const [literal] of text.matchAll(/`[^`]*`|"(?:[^"\\\n]|\\.)*"/g)) {
      const inner = literal.slice(1, -1);
      if (/^[\w.]+$/.test(inner)) found.add(text.includes("com.microsoft.${") ? `com.microsoft.${inner}` : inner);
      for (const [, name] of inner.matchAll(/([\w.]+) ?[(<]/g)) found.add(name!);
    }
  }
  return found;
}

test("every rule is held against central differences", () => {
  const tested = testedOperators();
  const rules = Object.entries(gradientRows).filter(([, row]) => typeof row === "function");
  expect(rules.map(([name]) => name).filter((name) => !tested.has(name))).toEqual([]);
});

test("what is no rule says why: no gradient flows, or there is none yet", () => {
  const rows = Object.entries(gradientRows).filter(([, row]) => typeof row !== "function");
  for (const [name, row] of rows) {
    const reasons = Object.entries(row);
    expect(reasons, name).toHaveLength(1);
    const [kind, reason] = reasons[0]!;
    expect(["flat", "none"], name).toContain(kind);
    expect(reason, name).toMatch(/^\S.{9,}/);
  }
});
