/** Refuses to publish what the release checklist of CONTRIBUTING.md forbids. `npm publish` runs it (prepublishOnly). */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
const changelog = readFileSync(`${root}/CHANGELOG.md`, "utf8");
const sections = [...changelog.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
const changed = execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" }).trim();

const faults = [
  !sections[0]?.startsWith(manifest.version) &&
    `CHANGELOG.md begins with "${sections[0]}": name ${manifest.version} and its date`,
  changed !== "" && `these changes are not committed:\n${changed}`,
  !manifest.repository && "package.json has no repository: npm shows the README's links relative to it",
].filter(Boolean);
for (const fault of faults) console.error(`release: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
