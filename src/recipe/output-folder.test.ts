/** An output folder appears whole or not at all, whatever happens between. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openOutputFolder } from "./index-node.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "avocet-folder-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const visible = () => readdirSync(root).filter((name) => !name.startsWith("."));

test("nothing is seen before commit, all of it after", () => {
  using folder = openOutputFolder(join(root, "out"));
  folder.write("a.txt", "a");
  folder.write("b.bin", Uint8Array.of(1, 2));
  expect(visible()).toEqual([]);
  folder.commit();
  expect(readdirSync(root)).toEqual(["out"]);
  expect(readdirSync(join(root, "out"))).toEqual(["a.txt", "b.bin"]);
});

test("without commit nothing stays, also after an error", () => {
  expect(() => {
    using folder = openOutputFolder(join(root, "out"));
    folder.write("a.txt", "a");
    throw new Error("in the middle");
  }).toThrow("in the middle");
  expect(readdirSync(root)).toEqual([]);
});

test("parents are made; a file in the way is an error with the way out", () => {
  {
    using folder = openOutputFolder(join(root, "deep", "er", "out"));
    folder.commit();
  }
  expect(existsSync(join(root, "deep", "er", "out"))).toBe(true);
  writeFileSync(join(root, "file"), "");
  expect(() => openOutputFolder(join(root, "file", "out"))).toThrow(
    expect.objectContaining({ code: "output/not-writable" }),
  );
});

test("what exists stays until the replacement is whole", () => {
  mkdirSync(join(root, "out"));
  writeFileSync(join(root, "out", "old.txt"), "old");
  expect(() => openOutputFolder(join(root, "out"))).toThrow(expect.objectContaining({ code: "output/exists" }));
  {
    using folder = openOutputFolder(join(root, "out"), true);
    folder.write("new.txt", "new");
    expect(readFileSync(join(root, "out", "old.txt"), "utf8")).toBe("old");
  }
  expect(readdirSync(join(root, "out"))).toEqual(["old.txt"]);
  {
    using folder = openOutputFolder(join(root, "out"), true);
    folder.write("new.txt", "new");
    folder.commit();
  }
  expect(readdirSync(join(root, "out"))).toEqual(["new.txt"]);
  expect(readdirSync(root)).toEqual(["out"]);
});

test("leftovers of killed runs are swept, those of living ones are not", () => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  mkdirSync(join(root, `.out.avocet-${dead}`));
  mkdirSync(join(root, `.out.avocet-old-${dead}`));
  mkdirSync(join(root, `.out.avocet-${process.ppid}`));
  mkdirSync(join(root, `.other.avocet-${dead}`));
  using folder = openOutputFolder(join(root, "out"));
  folder.commit();
  expect(readdirSync(root).sort()).toEqual([`.other.avocet-${dead}`, `.out.avocet-${process.ppid}`, "out"].sort());
});
