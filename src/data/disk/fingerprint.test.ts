/** The fingerprint of data changes with its files and how they are read, and with nothing else. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dataFingerprint } from "../inner-node.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "avocet-fingerprint-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  utimesSync(join(folder, name), 1, 1);
  return join(folder, name);
};

test("one file: its size, its time, and what part is read", async () => {
  const path = write("x.npy", "1234");
  const before = await dataFingerprint(path);
  write("other.npy", "1");
  expect(await dataFingerprint(path)).toBe(before);
  expect(await dataFingerprint(`${path}?every=2`)).not.toBe(before);
  utimesSync(path, 2, 2);
  expect(await dataFingerprint(path)).not.toBe(before);
  write("x.npy", "12345");
  expect(await dataFingerprint(path)).not.toBe(before);
});

test("a folder: all files in it", async () => {
  mkdirSync(join(folder, "a"));
  write("a/1.png", "1");
  const before = await dataFingerprint(folder);
  expect(await dataFingerprint(folder)).toBe(before);
  write("a/2.png", "1");
  expect(await dataFingerprint(folder)).not.toBe(before);
});

test("a description: the raw array that it names, and no other file beside it", async () => {
  const path = write("x.json", '{"file": "x.bin", "dtype": "uint8", "shape": [-1, 2]}');
  write("x.bin", "1234");
  const before = await dataFingerprint(path);
  write("log.txt", "1");
  expect(await dataFingerprint(path)).toBe(before);
  write("x.bin", "123456");
  expect(await dataFingerprint(path)).not.toBe(before);
});

test("a pack: its index and its bytes, whichever is named", async () => {
  const index = write("p.json", '{"images": [{"offset": 0, "length": 2}]}');
  const pack = write("p.jpgpack", "12");
  const before = await Promise.all([index, pack].map(dataFingerprint));
  write("p.jpgpack", "123");
  const after = await Promise.all([index, pack].map(dataFingerprint));
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});

test("what is not there is told as everywhere", async () => {
  await expect(dataFingerprint(join(folder, "none"))).rejects.toMatchObject({ code: "data/not-found" });
});
