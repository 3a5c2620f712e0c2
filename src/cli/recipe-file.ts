/** The recipe file of a command: named with --recipe, or `avocet.config.*` where the command runs. */
import { existsSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { AvocetError } from "../base/inner.ts";
import { disk, quietly } from "../base/inner-node.ts";
import { readJson } from "./text-file.ts";

const endings = [".ts", ".mts", ".mjs", ".js", ".json"];

/** The one `avocet.config.*` of a folder. Throws `usage/bad-value` when there are several. */
export function findConfig(folder: string): string | undefined {
  const found = endings.map((ending) => join(folder, `avocet.config${ending}`)).filter((path) => existsSync(path));
  if (found.length > 1) {
    throw new AvocetError("usage/bad-value", `expected one avocet.config file, got ${found.join(", ")}`, {
      hint: "remove all but one, or name one with --recipe",
    });
  }
  return found[0];
}

/** What a recipe file says, still unchecked: JSON, or the default export of a module. */
export async function readRecipeFile(path: string): Promise<unknown> {
  const ending = extname(path);
  if (!endings.includes(ending) || ending === ".json") return readJson(path);
  if (!quietly(() => disk.stat(path))?.isFile()) {
    throw new AvocetError("import/not-found", `expected a file, got ${path}`, { at: path });
  }
  if (/ts$/.test(ending) && !("typescript" in process.features && process.features.typescript)) {
    throw new AvocetError(
      "usage/bad-value",
      `expected Node 22.18 or newer for a ${ending} file, got ${process.version}`,
      {
        at: path,
        hint: "older versions do not read TypeScript: write avocet.config.mjs, where defineConfig gives the same types, or .json",
      },
    );
  }
  const module = await load(path);
  if (typeof module.default === "object" && module.default !== null) return module.default;
  throw new AvocetError("recipe/invalid", `expected a recipe as the default export, got ${typeof module.default}`, {
    at: path,
    hint: "export default defineConfig({ … })",
  });
}

async function load(path: string): Promise<{ readonly default?: unknown }> {
  try {
    return await import(/* @vite-ignore */ pathToFileURL(resolve(path)).href);
  } catch (cause) {
    throw new AvocetError("recipe/invalid", `expected a module, got ${(cause as Error).message}`, { at: path, cause });
  }
}
