/** Checkpoints on disk: what is kept, whose it is, and what becomes of damaged files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpointFolder } from "./checkpoint-folder-node.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "avocet-checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const identity = { model: "abc", recipe: "def" };
const open = (resume: boolean, other: Record<string, string> = {}) =>
  openCheckpointFolder(join(folder, "out"), { identity: { ...identity, ...other }, resume });
const bytes = Uint8Array.of(1, 2, 3);

test("nothing is written before something is saved; what was saved is there for the run that resumes", async () => {
  const first = open(false);
  expect([first.found, first.kept, await first.load("a")]).toEqual(["nothing", false, undefined]);
  expect(readdirSync(folder)).toEqual([]);
  await first.save("a", bytes);
  await first.save("a", Uint8Array.of(4));
  expect(readdirSync(folder)).toEqual([".out.avocet-checkpoint"]);
  const second = open(true);
  expect(second.found).toBe("resumed");
  expect([...(await second.load("a"))!]).toEqual([4]);
  expect(await second.load("b")).toBeUndefined();
  second.remove();
  expect(readdirSync(folder)).toEqual([]);
});

test("without resume a leftover is not read, and replaced by the first thing saved, not before", async () => {
  await open(false).save("a", bytes);
  const second = open(false);
  expect([second.found, await second.load("a")]).toEqual(["replaced", undefined]);
  expect([...(await open(true).load("a"))!]).toEqual([...bytes]);
  await second.save("b", bytes);
  expect(await open(true).load("a")).toBeUndefined();
  expect([...(await open(true).load("b"))!]).toEqual([...bytes]);
});

test("what another run left is refused with what differs", async () => {
  await open(false).save("a", bytes);
  expect(() => open(true, { recipe: "ghi", seed: "1" })).toThrow(
    expect.objectContaining({
      code: "resume/other-run",
      message: "expected the run that was interrupted, got another recipe, seed",
    }),
  );
  rmSync(join(folder, ".out.avocet-checkpoint", "run.json"));
  expect(() => open(true)).toThrow("got another model, recipe");
});

test.each(["cut", "flipped", "emptied"])("a file that was %s counts as absent", async (how) => {
  await open(false).save("a", bytes);
  const kept = join(folder, ".out.avocet-checkpoint");
  const path = join(kept, readdirSync(kept).find((name) => name.endsWith(".bin"))!);
  const file = readFileSync(path);
  if (how === "flipped") file[file.length - 1]! ^= 1;
  if (how === "flipped") writeFileSync(path, file);
  else truncateSync(path, how === "cut" ? file.length - 1 : 0);
  expect(await open(true).load("a")).toBeUndefined();
});
