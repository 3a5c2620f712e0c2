/**
 * Random networks by the thousand, quantized in every way that test/random-graphs.test.ts knows: `node bench/random-graphs.mjs
 * [FIRST] [COUNT] [WAY]`, for example `node bench/random-graphs.mjs 1000 500 "ort-cpu, fast"`. Default: seeds 0 to 999, all ways.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [from = "0", count = "1000", way] = process.argv.slice(2);
const { status } = spawnSync("npx", ["vitest", "run", "test/random-graphs.test.ts", "--maxWorkers=1"], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: "inherit",
  env: { ...process.env, AVOCET_RANDOM: `${from},${count}`, ...(way ? { AVOCET_RANDOM_WAY: way } : {}) },
});
process.exitCode = status ?? 1;
