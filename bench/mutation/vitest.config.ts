/** The tests of one group of mutants (bench/mutation.mjs): those beside the mutated code, named in MUTATION_TESTS. */
import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.ts";

const include = (process.env.MUTATION_TESTS ?? "").split(",").filter(Boolean);
export default mergeConfig(
  { ...base, test: { ...base.test, include } },
  { test: { setupFiles: ["bench/mutation/setup.ts"] } },
);
