/** The command line as it was built, for tests that need a process of its own. */
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, sourceFiles } from "./source-files.ts";

export const builtCommand = join(root, "dist", "cli", "main.js");

/** Why there is nothing to judge: `npm test` builds first, but during work the build may lag behind. */
export function staleBuild(): string | false {
  for (const { path } of sourceFiles().filter((file) => !file.isTest)) {
    const built = join(root, path.replace(/^src/, "dist").replace(/\.ts$/, ".js"));
    if (!existsSync(built) || statSync(built).mtimeMs < statSync(join(root, path)).mtimeMs) {
      return `dist/ is older than ${path}: npm run build`;
    }
  }
  return false;
}

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command to its end, in a folder. */
export function runCommand(args: readonly string[], cwd = process.cwd()): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [builtCommand, ...args], { cwd }, (_error, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });
}
