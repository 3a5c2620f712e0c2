/** The public names of every subpath with their signatures, reviewed as text in public-api.txt: `npx vitest run test/public-api.test.ts -u`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { declarationsOf, emitDeclarations } from "./declarations.ts";
import { root, sourceFiles } from "./source-files.ts";

type Target = { readonly types: string; readonly default: string };
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, Target | string>;
};

/** Subpath → source file: the front door, that of Node, and the public door of each folder that has one. */
function subpaths(): Map<string, string> {
  const found = new Map<string, string>([
    [".", "src/index.ts"],
    ["./node", "src/index-node.ts"],
  ]);
  for (const { path } of sourceFiles()) {
    const [, folder] = /^src\/([^/]+)\/index\.ts$/.exec(path) ?? [];
    if (folder && folder !== "cli") found.set(`./${folder}`, path);
  }
  return found;
}

test("package.json exports the public doors", () => {
  const expected: Record<string, Target | string> = {};
  for (const [subpath, path] of subpaths()) {
    const built = path.replace(/^src/, "./dist").replace(/\.ts$/, "");
    expected[subpath] = { types: `${built}.d.ts`, default: `${built}.js` };
  }
  expected["./recipe.schema.json"] = "./schema/recipe.schema.json";
  expected["./package.json"] = "./package.json";
  expect(manifest.exports, 'write these entries into "exports" of package.json').toEqual(expected);
});

// It compiles all declarations, which takes its time on a busy machine.
test("the public names and their signatures are those that were reviewed, and few enough to be kept", {
  timeout: 300_000,
}, async () => {
  using types = emitDeclarations();
  const sections: string[] = [];
  const all: string[] = [];
  for (const [subpath, path] of subpaths()) {
    const declared = declarationsOf(join(types.folder, path.replace(/^src\//, "").replace(/\.ts$/, ".d.ts")));
    const names = [...declared.keys()].sort();
    all.push(...names);
    expect(
      names.filter((name) => / of \./.test(declared.get(name)!)),
      "declarations that were not found",
    ).toEqual([]);
    sections.push([`# avocet${subpath.slice(1)}`, ...names.map((name) => declared.get(name)!)].join("\n\n"));
  }
  // One name, one door.
  expect(all.length).toBe(new Set(all).size);
  expect(all.length, "whoever adds a name promises to keep it").toBeLessThanOrEqual(177);
  await expect(`${sections.join("\n\n\n")}\n`).toMatchFileSnapshot("public-api.txt");
});
