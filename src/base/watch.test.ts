import { afterEach, expect, test } from "vitest";
import { setWatcher, watched } from "./watch.ts";

afterEach(() => setWatcher(null));

test("work is told when it begins and when it ends, also when it fails", async () => {
  const seen: string[] = [];
  setWatcher(({ what, at }) => {
    seen.push(`${what} ${at}`);
    return () => void seen.push(`${what} ended`);
  });
  const inner = () => watched(() => ({ what: "running", at: "b" }), () => Promise.reject(new Error("no"))); // biome-ignore format: one line
  await expect(watched(() => ({ what: "folding", at: "a" }), inner)).rejects.toThrow("no");
  expect(seen).toEqual(["folding a", "running b", "running ended", "folding ended"]);
});

test("without a watcher nothing is described", async () => {
  const describe = () => {
    throw new Error("described");
  };
  expect(await watched(describe, () => Promise.resolve(3))).toBe(3);
});
