/** Browsers are found by name on the path; folders and files that cannot run are none. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { findBrowsers } from "./browser-node.ts";

test("the first program of each name", () => {
  const home = mkdtempSync(join(tmpdir(), "avocet-test-"));
  try {
    const [first, second] = [join(home, "a"), join(home, "b")];
    mkdirSync(join(first, "firefox"), { recursive: true });
    mkdirSync(second);
    for (const [path, mode] of [
      [join(first, "chromium"), 0o755],
      [join(second, "chromium"), 0o755],
      [join(second, "google-chrome"), 0o644],
    ] as const) {
      writeFileSync(path, "");
      chmodSync(path, mode);
    }
    expect(findBrowsers([first, second].join(delimiter), "linux")).toEqual([join(first, "chromium")]);
    expect(findBrowsers("", "linux")).toEqual([]);
  } finally {
    rmSync(home, { recursive: true });
  }
});
