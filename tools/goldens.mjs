/** Updates every recorded result that tests compare with: replayed bytes (real networks and slow presets, too) and public names. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const files = process.argv.length > 2 ? process.argv.slice(2) : ["test/replay", "test/public-api.test.ts"];
const { status } = spawnSync(process.execPath, [vitest, "run", ...files, "--update"], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, AVOCET_GOLDENS: "update", AVOCET_REPLAY: "all" },
});
process.exitCode = status ?? 1;
