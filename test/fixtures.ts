/** Finds the real models and data that some tests use; they are never part of the repository. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");

/** The path of a fixture. Check `missing(…)` first. */
export function fixture(name: string): string {
  return join(folder, name);
}

/** The path of recorded results of AIMET, which lie next to the fixtures. */
export function golden(name: string): string {
  return join(folder, "..", "golden", name);
}

/** The path of a small input from a public bug report, or of a hostile file; they lie next to the fixtures. */
export function fieldCase(name: string): string {
  return join(folder, "..", "cases", name);
}

/** Why a test must be skipped, or false: `test.skipIf(missing("mnist/mnist-8.onnx"))`. */
export function missing(...names: string[]): string | false {
  const absent = names.find((name) => ![fixture, golden, fieldCase].some((path) => existsSync(path(name))));
  return absent ? `${absent} is not in ${folder} (set AVOCET_FIXTURES)` : false;
}
