/** The table of limits in docs/debugging.md says what the code keeps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../test/source-files.ts";
import { limits } from "./limits.ts";

/** What concerns messages and the inner account of the decoder, not models. */
const inner = ["messageCost", "textCost", "faultsShown", "faultLength"];

test("docs/debugging.md lists every limit of models with its value", () => {
  const text = readFileSync(join(root, "docs/debugging.md"), "utf8");
  const rows = [...text.matchAll(/^\| `(\w+)`[^|]*\| (\d+) \|$/gm)].map(([, name, value]) => [name, Number(value)]);
  const expected = Object.entries(limits).filter(([name]) => !inner.includes(name));
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(expected));
});
