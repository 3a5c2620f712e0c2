/** The documents keep to what is there: links lead somewhere, and the README lists the commands of the command line. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandHelp } from "./command-line.ts";
import { root } from "./source-files.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");
const documents = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

describe.each(documents)("%s", (document) => {
  test("has no link that leads nowhere", () => {
    const links = [...read(document).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
    const dead = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(root, dirname(document), link)));
    expect(dead).toEqual([]);
  });
});

test("source files that documents name are there", () => {
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/`([a-z][a-z0-9/.-]*\/[a-z0-9.-]+\.(?:ts|mjs|wat))`/g)].map((match) => match[1]!),
  );
  expect(named.length).toBeGreaterThan(50);
  // Within src/ a path may begin with any of its folders, in docs/ and examples/ with the document's own.
  const files = ["src", "test", "bench", "tools", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `/${folder}/${name}`),
  );
  expect(named.filter((path) => !files.some((file) => file.endsWith(`/${path}`)))).toEqual([]);
});

test("the README lists every command and no other", async () => {
  const commands = [...(await commandHelp()).keys()].filter((name) => name !== "help");
  const listed = [...read("README.md").matchAll(/^\| `avocet ([a-z]+) /gm)].map((match) => match[1]);
  expect(commands.length).toBeGreaterThan(0);
  expect(listed.sort()).toEqual(commands.sort());
});

test("the list of decisions names every page", () => {
  const pages = readdirSync(join(root, "docs/decisions")).filter((name) => name !== "README.md");
  const listed = [...read("docs/decisions/README.md").matchAll(/^- \[.*\]\((.*)\)$/gm)].map((match) => match[1]!);
  expect(listed.sort()).toEqual(pages.sort());
});
