/** The demo of the README, run as anyone would, on fewer pictures; it needs the build. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "./source-files.ts";

const out = mkdtempSync(join(tmpdir(), "avocet-demo-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const unbuilt = !existsSync(join(root, "dist/cli/main.js"));

/** Runs a program of examples/ and returns what it says. */
function run(...args: string[]): string {
  const [program = "", ...rest] = args;
  return execFileSync(process.execPath, [join(root, "examples", program), ...rest], {
    // The demo makes its folder again, so it must not be where it runs.
    cwd: tmpdir(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

test.skipIf(unbuilt)("the demo shows that one scale per tensor loses and the default does not", () => {
  const said = run("demo.mjs", "--out", out, "--test", "300");
  const right = (line: RegExp) => Number(line.exec(said)?.[1]);
  const float = right(/^float +([\d.]+) %/m);
  const record = JSON.parse(readFileSync(join(root, "examples/models/pictures.json"), "utf8"));
  // Printed with one decimal.
  expect(Math.abs(float - record.float.rightOfFirst300 / 3)).toBeLessThanOrEqual(0.051);
  expect(right(/^int8, one scale per tensor +([\d.]+) %/m)).toBeLessThan(float - 3);
  expect(right(/^int8, default +([\d.]+) %/m)).toBeGreaterThan(float - 1);
  expect(existsSync(join(out, "default/report.html"))).toBe(true);
});

test.skipIf(unbuilt)("the training program writes a model of the same network, and what is to be known of it", () => {
  const said = run("train.mjs", "--out", join(out, "trained"), "--pictures", "128", "--epochs", "1", "--test", "24");
  expect(said).toMatch(/epoch 1 of 1: loss 2\.\d+/); // ln 12 = 2.48: it has seen two batches
  const record = JSON.parse(readFileSync(join(out, "trained/pictures.json"), "utf8"));
  const file = readFileSync(join(out, "trained/pictures.onnx"));
  expect(createHash("sha256").update(file).digest("hex")).toBe(record.model.sha256);
  const bundled = JSON.parse(readFileSync(join(root, "examples/models/pictures.json"), "utf8"));
  expect(record.model.parameters).toBe(bundled.model.parameters);
  expect(record.pictures).toEqual(bundled.pictures);
});

test.skipIf(unbuilt)("the ten-line program writes a model", () => {
  run("quantize.mjs", join(out, "pictures-int8.onnx"));
  expect(existsSync(join(out, "pictures-int8.onnx"))).toBe(true);
});
