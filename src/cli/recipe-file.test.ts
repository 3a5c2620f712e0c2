/** Recipe files: found where a command runs, read as JSON or as a module, refused with the way out. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findConfig, readRecipeFile } from "./recipe-file.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "avocet-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test("none, one, several", () => {
  expect(findConfig(folder)).toBeUndefined();
  const json = write("avocet.config.json", "{}");
  write("other.config.json", "{}");
  expect(findConfig(folder)).toBe(json);
  write("avocet.config.mjs", "export default {}");
  expect(() => findConfig(folder)).toThrow(/expected one avocet\.config file, got .*mjs, .*json/);
});

test.each([
  ["avocet.config.json", '{ "weights": "int4" }'],
  ["any-name.recipe", '{ "weights": "int4" }'],
  ["avocet.config.mjs", 'const weights = "int" + 4; export default { weights };'],
])("%s is read", async (name, text) => {
  expect(await readRecipeFile(write(name, text))).toEqual({ weights: "int4" });
});

test.each([
  ["avocet.config.mjs", "export const recipe = {};", "recipe/invalid", /default export, got undefined/],
  ["broken.mjs", "export default {", "recipe/invalid", /expected a module, got/],
  ["broken.json", "{", "usage/bad-value", /expected JSON/],
])("%s holding %s is %s", async (name, text, code, message) => {
  const error: Error = await readRecipeFile(write(name, text)).then(String, (failure) => failure);
  expect(error).toMatchObject({ code, detail: { at: join(folder, name) } });
  expect(error.message).toMatch(message);
});

test.each(["none.mjs", "none.json"])("%s, which is not there", async (name) => {
  await expect(readRecipeFile(join(folder, name))).rejects.toMatchObject({ code: "import/not-found" });
});

// Node 22.18 and later take types out by themselves.
const able = "typescript" in process.features && process.features.typescript !== false;

test(`a TypeScript file is ${able ? "read" : "refused by this Node, with the way out"}`, async () => {
  const path = write("avocet.config.ts", 'const weights: string = "int4"; export default { weights };');
  const result = await readRecipeFile(path).catch((error) => error.describe());
  if (able) expect(result).toEqual({ weights: "int4" });
  else expect(result).toMatch(/expected Node 22\.18 or newer .*\n.*avocet\.config\.mjs/);
});
