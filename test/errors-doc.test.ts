/** docs/errors.md lists every error code, no other, and the exit code that the command line gives it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AvocetError, type ErrorCode } from "../src/base/inner.ts";
import { remedies } from "../src/base/remedies.ts";
import { exitCodeOf } from "../src/cli/exit.ts";
import { root, sourceFiles } from "./source-files.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");
const rows = [...read("docs/errors.md").matchAll(/^\| `([a-z]+\/[a-z-]+)` \| (\d+) \| (.+) \| (.+) \|$/gm)];

test("docs/errors.md has one row for every code of the union, and no other", () => {
  const union = /export type ErrorCode =([^;]*);/.exec(read("src/base/error-codes.ts"))![1]!;
  const codes = [...union.matchAll(/"([^"]+)"/g)].map((match) => match[1]);
  expect(rows.map((row) => row[1]).sort()).toEqual([...codes].sort());
});

test("every code is thrown somewhere", () => {
  const elsewhere = sourceFiles().filter(
    ({ path, isTest }) => !isTest && !["src/base/error-codes.ts", "src/cli/exit.ts"].includes(path),
  );
  const text = elsewhere.map((file) => file.text).join("\n");
  expect(rows.map((row) => row[1]!).filter((code) => !text.includes(`"${code}"`))).toEqual([]);
});

test("docs/errors.md states the exit codes of the command line", () => {
  for (const [, code, exit] of rows) {
    expect(`${code} ${exit}`).toBe(`${code} ${exitCodeOf(new AvocetError(code as ErrorCode, "expected, got"))}`);
  }
});

test("the remedy of a code is the hint of its errors that have none of their own", () => {
  for (const [, code, , , remedy] of rows) {
    const plain = remedy!
      .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1")
      .replaceAll("`", "")
      .replace(/\.$/, "");
    expect(remedies[code as ErrorCode].toLowerCase()).toBe(plain.toLowerCase());
    expect(new AvocetError(code as ErrorCode, "expected, got").detail.hint).toBe(remedies[code as ErrorCode]);
  }
});
