/** An output folder appears whole or not at all, and nothing that Avocet did not make goes, whatever happens between. */
import { spawn } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { staleBuild } from "../../test/built-command.ts";
import { root as repository } from "../../test/source-files.ts";
import { openOutputFolder } from "./inner-node.ts";

let root = "";
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "avocet-folder-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const at = (...names: string[]) => join(root, ...names);
const visible = (folder = root) => readdirSync(folder).filter((name) => !name.startsWith("."));
const refusal = (code: string) => expect.objectContaining({ code });

/** A folder that Avocet made. */
function make(name: string, content = "old", force = false): void {
  using folder = openOutputFolder(at(name), force);
  folder.write("a.txt", content);
  folder.commit();
}
const read = (name: string) => readFileSync(at(name, "a.txt"), "utf8");

test("nothing is seen before commit, all of it after", () => {
  {
    using folder = openOutputFolder(at("out"));
    folder.write("a.txt", "a");
    folder.write("b.bin", Uint8Array.of(1, 2));
    expect(visible()).toEqual([]);
    folder.commit();
    expect(visible(at("out"))).toEqual(["a.txt", "b.bin"]);
    folder.write("late.txt", "later");
    folder.write("a.txt", "anew");
  }
  expect(readdirSync(root)).toEqual(["out"]);
  expect([visible(at("out")), read("out")]).toEqual([["a.txt", "b.bin", "late.txt"], "anew"]);
  make("out", "another", true);
  expect(visible(at("out"))).toEqual(["a.txt"]);
});

test("without commit nothing stays, folders that were made for it neither", () => {
  expect(() => {
    using folder = openOutputFolder(at("deep", "er", "out"));
    folder.write("a.txt", "a");
    throw new Error("in the middle");
  }).toThrow("in the middle");
  expect(readdirSync(root)).toEqual([]);
});

test("parents are made; a file in the way is an error, and a place where nothing can be made is one at once", () => {
  make("deep/er/out");
  expect(read("deep/er/out")).toBe("old");
  writeFileSync(at("file"), "");
  expect(() => openOutputFolder(at("file", "out"))).toThrow(refusal("output/not-writable"));
  expect(() => openOutputFolder("/proc/nowhere/x")).toThrow(refusal("output/not-writable"));
  expect(() => openOutputFolder("")).toThrow(refusal("usage/bad-value"));
  expect(() => openOutputFolder("/")).toThrow(refusal("output/exists"));
});

test("a name as long as names can be", () => {
  const name = "n".repeat(255);
  make(name);
  make(name, "new", true);
  expect([readdirSync(root), read(name)]).toEqual([[name], "new"]);
  expect(() => openOutputFolder(at("n".repeat(256)))).toThrow(refusal("output/not-writable"));
});

describe("--force", () => {
  test("what exists stays until the replacement is whole", () => {
    make("out");
    expect(() => openOutputFolder(at("out"))).toThrow(refusal("output/exists"));
    {
      using folder = openOutputFolder(at("out"), true);
      folder.write("new.txt", "new");
      expect(read("out")).toBe("old");
    }
    expect(read("out")).toBe("old");
    make("out", "new", true);
    expect([readdirSync(root), read("out")]).toEqual([["out"], "new"]);
  });

  const strangers: Record<string, () => void> = {
    "a folder that Avocet did not make": () => {
      mkdirSync(at("out"));
      writeFileSync(at("out", "a.txt"), "mine");
    },
    "a file among what Avocet made": () => {
      make("out");
      writeFileSync(at("out", "notes.txt"), "mine");
    },
    "a hidden file, too": () => {
      make("out");
      writeFileSync(at("out", ".env"), "mine");
    },
    "a folder inside": () => {
      make("out");
      mkdirSync(at("out", "photos"));
    },
    "a file that was changed": () => {
      make("out");
      writeFileSync(at("out", "a.txt"), "edited by hand");
    },
    "a link in the place of a file": () => {
      make("out");
      renameSync(at("out", "a.txt"), at("elsewhere.txt"));
      symlinkSync(at("elsewhere.txt"), at("out", "a.txt"));
    },
    "a file": () => writeFileSync(at("out"), "mine"),
    "a list that is none": () => {
      make("out");
      writeFileSync(at("out", ".avocet.json"), "[]");
    },
  };
  test.each(Object.entries(strangers))("%s is not removed", (_, arrange) => {
    arrange();
    const before = readdirSync(root, { recursive: true });
    expect(() => openOutputFolder(at("out"), true)).toThrow(refusal("output/not-ours"));
    expect(readdirSync(root, { recursive: true })).toEqual(before);
  });

  test("an empty folder has nothing to lose; files that are gone are not missed", () => {
    mkdirSync(at("out"));
    make("out", "one", true);
    unlinkSync(at("out", "a.txt"));
    make("out", "two", true);
    expect(read("out")).toBe("two");
  });

  test("a link to a folder stays, and what it leads to is replaced; one that leads nowhere is refused", () => {
    make("real");
    symlinkSync(at("real"), at("link"));
    expect(() => openOutputFolder(at("link"))).toThrow(refusal("output/exists"));
    make("link", "new", true);
    expect(read("real")).toBe("new");
    expect(realpathSync(at("link"))).toBe(at("real"));
    symlinkSync(at("nowhere"), at("dangling"));
    for (const force of [false, true]) {
      expect(() => openOutputFolder(at("dangling"), force)).toThrow(refusal("output/not-writable"));
    }
    expect(readdirSync(root).sort()).toEqual(["dangling", "link", "real"]);
  });
});

describe("inputs", () => {
  const cases: Record<string, [output: string, input: string]> = {
    "is the input": ["data", "data"],
    "holds the input": ["data", "data/deep/x.npy"],
    "holds it from far above": ["", "data/deep/x.npy"],
    "lies in the input": ["data/deep/out", "data"],
    "is the input, by a link": ["link", "data"],
    "is what the input's link leads to": ["data", "link"],
    "lies in the input, by a link": ["link/out", "data"],
    "is a file by its other name": ["other.npy", "data/deep/x.npy"],
    "is written differently": ["data/../data/./deep", "data/deep/x.npy"],
  };
  test.each(Object.entries(cases))("an output that %s is refused, with --force too", (_, [output, input]) => {
    mkdirSync(at("data", "deep"), { recursive: true });
    writeFileSync(at("data", "deep", "x.npy"), "precious");
    symlinkSync(at("data"), at("link"));
    linkSync(at("data", "deep", "x.npy"), at("other.npy"));
    const before = readdirSync(root, { recursive: true }).sort();
    for (const force of [false, true]) {
      expect(() => openOutputFolder(at(output), force, [at(input)])).toThrow(refusal("output/is-input"));
    }
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(before);
  });

  test("beside its inputs is where an output may be, and inputs that are not there do not matter", () => {
    mkdirSync(at("data"));
    writeFileSync(at("data", "m.onnx"), "");
    using folder = openOutputFolder(at("data", "out"), false, [at("data", "m.onnx"), at("nowhere")]);
    folder.commit();
    expect(existsSync(at("data", "out"))).toBe(true);
  });
});

describe("meanwhile", () => {
  test.each([false, true])("a folder that appears during the run is not removed (force %s)", (force) => {
    using folder = openOutputFolder(at("out"), force);
    folder.write("a.txt", "mine");
    mkdirSync(at("out"));
    writeFileSync(at("out", "precious.txt"), "theirs");
    expect(() => folder.commit()).toThrow(refusal("output/exists"));
    expect(readFileSync(at("out", "precious.txt"), "utf8")).toBe("theirs");
  });

  test("nor one that took the place of what was there, or got something of a stranger's", () => {
    make("out");
    using folder = openOutputFolder(at("out"), true);
    renameSync(at("out"), at("moved"));
    mkdirSync(at("out"));
    expect(() => folder.commit()).toThrow(refusal("output/exists"));
    rmSync(at("out"), { recursive: true });
    renameSync(at("moved"), at("out"));
    writeFileSync(at("out", "notes.txt"), "theirs");
    expect(() => folder.commit()).toThrow(refusal("output/not-ours"));
    unlinkSync(at("out", "notes.txt"));
    folder.commit();
    expect(existsSync(at("out", "a.txt"))).toBe(false);
  });

  test("two runs into one folder exclude each other, by any name of it, and the next one may begin when the first has ended", () => {
    mkdirSync(at("real"));
    symlinkSync(at("real"), at("link"));
    {
      using first = openOutputFolder(at("real", "out"));
      expect(() => openOutputFolder(at("link", "out"), true)).toThrow(refusal("output/busy"));
      first.write("a.txt", "first");
      first.commit();
      expect(() => openOutputFolder(at("real", "out"), true)).toThrow(refusal("output/busy"));
    }
    make("link/out", "second", true);
    expect(read("real/out")).toBe("second");
  });

  const stale = staleBuild();
  test.skipIf(stale)(
    `another process is excluded while it lives, and replaced when it was killed (${stale || "built"})`,
    async () => {
      const script = `import { openOutputFolder } from ${JSON.stringify(join(repository, "dist/recipe/inner-node.js"))};
      const folder = openOutputFolder(process.argv[1]); folder.write("a.txt", "half"); console.log("ready"); setInterval(() => {}, 1e6);`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, at("out")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      expect(() => openOutputFolder(at("out"))).toThrow(refusal("output/busy"));
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
      expect(readdirSync(root).sort()).toEqual([".out.avocet-lock", ".out.avocet-staging"]);
      make("out", "whole");
      expect([readdirSync(root), read("out")]).toEqual([["out"], "whole"]);
    },
  );

  test("who cannot be asked is believed for five minutes: another container, another machine", () => {
    const foreign = "4242.17.0123456789ab.01234567.0";
    writeFileSync(at(".out.avocet-lock"), foreign);
    mkdirSync(at(".out.avocet-staging"));
    expect(() => openOutputFolder(at("out"))).toThrow(refusal("output/busy"));
    expect(readdirSync(root).sort()).toEqual([".out.avocet-lock", ".out.avocet-staging"]);
    utimesSync(at(".out.avocet-lock"), new Date(), Date.now() / 1000 - 301);
    make("out");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  test("a run whose lock was taken does not commit; one whose lock was cleared away does", () => {
    using folder = openOutputFolder(at("out"));
    writeFileSync(at(".out.avocet-lock"), "4242.17.0123456789ab.01234567.0");
    expect(() => folder.commit()).toThrow(refusal("output/busy"));
    unlinkSync(at(".out.avocet-lock"));
    folder.commit();
    expect(visible()).toEqual(["out"]);
  });
});

describe("what a killed run left", () => {
  test("a folder that was put aside comes back, also when the next run is refused", () => {
    make("out");
    renameSync(at("out"), at(".out.avocet-old"));
    mkdirSync(at(".out.avocet-staging"));
    expect(() => openOutputFolder(at("out"))).toThrow(refusal("output/exists"));
    expect([readdirSync(root), read("out")]).toEqual([["out"], "old"]);
  });

  test("the old one goes where the new one is in its place; a half-removed one never comes back", () => {
    make("out");
    mkdirSync(at(".out.avocet-old"));
    mkdirSync(at(".out.avocet-trash"));
    expect(() => openOutputFolder(at("out"))).toThrow(refusal("output/exists"));
    expect(readdirSync(root)).toEqual(["out"]);
    rmSync(at("out"), { recursive: true });
    mkdirSync(at(".out.avocet-trash"));
    using _folder = openOutputFolder(at("out"));
    expect(existsSync(at("out"))).toBe(false);
    expect(existsSync(at(".out.avocet-trash"))).toBe(false);
  });

  test("what belongs to other outputs stays", () => {
    for (const name of [".other.avocet-staging", ".out.avocet-checkpoint", ".out.b.avocet-staging"])
      mkdirSync(at(name));
    make("out");
    expect(readdirSync(root).sort()).toEqual([
      ".other.avocet-staging",
      ".out.avocet-checkpoint",
      ".out.b.avocet-staging",
      "out",
    ]);
  });
});
