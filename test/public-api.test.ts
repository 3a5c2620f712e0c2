/** The public names of every subpath, reviewed as text in public-api.txt: `npx vitest run test/public-api.test.ts -u`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, sourceFiles } from "./source-files.ts";

type Target = { readonly types: string; readonly default: string };
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, Target | string>;
};

/** Subpath → source file: the index of every folder but cli/, and the indexes of what works in Node or on the web only. */
function subpaths(): Map<string, string> {
  const found = new Map<string, string>([[".", "src/index.ts"]]);
  for (const { path } of sourceFiles()) {
    const [, layer, platform] = /^src\/([^/]+)\/index(?:-(node|web))?\.ts$/.exec(path) ?? [];
    const [, inner, folder] = /^src\/([^/]+)\/(node|web)\/index\.ts$/.exec(path) ?? [];
    const [name, suffix] = [layer ?? inner, platform ?? folder];
    // The door to the disk is for the other layers: what users need of it, they have under recipe/node and formats/node.
    if (path === "src/base/inner-node.ts") continue;
    if (name && name !== "cli") found.set(suffix ? `./${name}/${suffix}` : `./${name}`, path);
  }
  return found;
}

test("package.json exports the index of every folder", () => {
  const expected: Record<string, Target | string> = {};
  for (const [subpath, path] of subpaths()) {
    const built = path.replace(/^src/, "./dist").replace(/\.ts$/, "");
    expected[subpath] = { types: `${built}.d.ts`, default: `${built}.js` };
  }
  expected["./recipe.schema.json"] = "./schema/recipe.schema.json";
  expected["./package.json"] = "./package.json";
  expect(manifest.exports, 'write these entries into "exports" of package.json').toEqual(expected);
});

/** "function", "class", "constant" of what is there at run time; "type" of what the index exports as a type. */
async function namesOf(path: string): Promise<string[]> {
  const found = new Map<string, string>();
  const text = readFileSync(join(root, path), "utf8");
  for (const [, isType, names = ""] of text.matchAll(/^export (type )?\{([^}]*)\}/gm)) {
    for (const entry of names.split(",").map((name) => name.trim())) {
      if (entry && (isType || entry.startsWith("type "))) found.set(entry.replace(/^type |.* as /g, ""), "type");
    }
  }
  const module = (await import(/* @vite-ignore */ join(root, path))) as Record<string, unknown>;
  for (const [name, value] of Object.entries(module)) {
    const isClass = typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
    found.set(name, isClass ? "class" : typeof value === "function" ? "function" : "constant");
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, kind]) => `  ${name.padEnd(32)} ${kind}`);
}

test("the public names are those that were reviewed", async () => {
  const sections: string[] = [];
  for (const [subpath, path] of subpaths()) {
    if (!existsSync(join(root, path))) continue;
    sections.push([`avocet${subpath.slice(1)}`, ...(await namesOf(path))].join("\n"));
  }
  await expect(`${sections.join("\n\n")}\n`).toMatchFileSnapshot("public-api.txt");
});
