/**
 * The tests of one group of mutants (bench/mutation.mjs): those next to the mutated code, named in MUTATION_TESTS. With MUTATION_CODE
 * the code with all mutants stands for the files that it was made of, and with MUTATION_LOG tests are repeated for each (warm.mjs).
 */
import { readFileSync } from "node:fs";
import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.ts";

const { MUTATION_TESTS, MUTATION_CODE, MUTATION_LOG } = process.env;
const include = (MUTATION_TESTS ?? "").split(",").filter(Boolean);
const mutated: Record<string, string> = MUTATION_CODE ? JSON.parse(readFileSync(MUTATION_CODE, "utf8")) : {};
export default mergeConfig(
  { ...base, test: { ...base.test, include } },
  {
    plugins: [{ name: "mutated", enforce: "pre", load: (id: string) => mutated[id.split("?")[0]!] }],
    test: {
      setupFiles: ["bench/mutation/setup.ts"],
      ...(MUTATION_LOG ? { runner: "bench/mutation/repeating-runner.mjs", fileParallelism: false } : {}),
    },
  },
);
