/**
 * Damages files and models for hours and counts what becomes of them: see test/fuzz. Goes on where the last run stopped
 * (tmp/fuzz/tally.json). Failures are written to tmp/fuzz/found, as files with their story next to them.
 *
 *     nice node bench/fuzz.mjs [--mutants 300000] [--seconds 3600] [--jobs 2] [--targets inspect,plan] [--table bench/results/fuzz.md]
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const build = await rolldown({
  input: join(root, "test/fuzz/command.ts"),
  platform: "node",
  tsconfig: false,
  external: [/^(?!@oxc-project)[a-z@][^:]*$/i],
  transform: { target: "es2022" },
});
await build.write({ dir: join(root, "tmp"), format: "esm", entryFileNames: "fuzz-command.mjs" });
await build.close();
await import(join(root, "tmp/fuzz-command.mjs"));
