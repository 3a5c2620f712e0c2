/** Completion: what real shells offer, where they are; else the text of the script. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { avocet } from "../../test/command-line.ts";

const script = async (shell: string) => (await avocet(["completion", shell])).out;
const has = (shell: string) => {
  try {
    execFileSync(shell, ["-c", "true"]);
    return true;
  } catch {
    return false;
  }
};

describe.skipIf(!has("bash"))("bash", () => {
  /** What is offered behind these words. */
  const offered = async (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const ask = `${await script("bash")}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _avocet; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["--norc", "-c", ask], { encoding: "utf8" }).trim().split("\n");
  };

  test("commands", async () => {
    expect(await offered("avocet", "qu")).toEqual(["quantize"]);
    expect(await offered("avocet", "co")).toEqual(["compress", "compare", "convert", "completion"]);
  });

  test("options of the command, and the values of those that have a list", async () => {
    expect(await offered("avocet", "quantize", "m.onnx", "--max-")).toEqual(expect.arrayContaining(["--max-drop", "--max-bytes", "--max-latency"])); // biome-ignore format: one list
    expect(await offered("avocet", "convert", "m.onnx", "--max-")).toEqual([""]);
    expect(await offered("avocet", "verify", "d", "--runtime", "")).toEqual(["ort-node", "ort-web"]);
  });

  test("files for arguments and for options that take one", async () => {
    expect(await offered("avocet", "quantize", "pack")).toContain("package.json");
    expect(await offered("avocet", "quantize", "m.onnx", "--labels", "pack")).toContain("package.json");
  });
});

test.each(["zsh", "fish"])("%s: every command and option is named, descriptions are quoted", async (shell) => {
  const text = await script(shell);
  for (const name of ["quantize", "verify", "doctor"]) expect(text).toContain(name);
  for (const option of ["max-latency", "junit", "decode"]) expect(text).toContain(option);
  // Quotes within descriptions are written so that the text around them goes on: an even number stays.
  expect(text.replaceAll("'\\''", "").split("'").length % 2).toBe(1);
  if (has(shell)) execFileSync(shell, ["-n", "/dev/stdin"], { input: text });
});

test("another shell is refused with the list", async () => {
  const run = await avocet(["completion", "cmd"]);
  expect([run.code, run.err]).toEqual([2, expect.stringMatching(/expected a shell, got "cmd"[\s\S]*bash, zsh, fish/)]);
});
