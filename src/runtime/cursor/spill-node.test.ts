/** Activations on disk: bytes come back, freed room is used again, nothing is left. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSpill } from "./spill-node.ts";

const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("extents are read back, reused, and the folder is empty after disposal", async () => {
  {
    await using spill = await openSpill(folder);
    const a = await spill.write(Uint8Array.of(1, 2, 3));
    const b = await spill.write(Uint8Array.of(4, 5, 6));
    expect([...(await spill.read(a, 3))]).toEqual([1, 2, 3]);
    spill.free(a, 3);
    expect(await spill.write(Uint8Array.of(7, 8, 9))).toBe(a);
    expect(await spill.write(Uint8Array.of(7))).toBe(6);
    expect([...(await spill.read(b, 3)), ...(await spill.read(a, 3))]).toEqual([4, 5, 6, 7, 8, 9]);
  }
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that is none is refused with a code", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  await expect(openSpill(file)).rejects.toEqual(expect.objectContaining({ code: "output/not-writable" }));
  expect(existsSync(file)).toBe(true);
});
