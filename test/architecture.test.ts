/** The architecture as a test: which layer may import which, where platforms may appear, what files are called. */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { cycleIn, importsOf, root, type SourceFile, sourceFiles } from "./source-files.ts";

/** A folder imports only folders of a lower rank (docs/architecture.md). */
const rank: Readonly<Record<string, number>> = {
  base: 0,
  tensor: 1,
  ir: 2,
  ops: 3,
  facts: 4,
  formats: 4,
  data: 4,
  runtime: 5,
  passes: 6,
  autodiff: 6,
  quant: 7,
  train: 7,
  analysis: 8,
  methods: 9,
  report: 9,
  compress: 10,
  recipe: 11,
  cli: 12,
};
/** src/index.ts, the front door, stands above all layers. */
const frontDoor = 13;
const rankOf = (layer: string) => (layer === "" ? frontDoor : rank[layer]);

/** The inner doors: what other folders may import of a folder, what of it takes long to load, and what works in Node only. */
const isInner = (file: string) => /^src\/[^/]+\/inner(-files|-node|-place|-transformer)?\.ts$/.test(file);
/** The public doors, which package.json exports: nothing in src/ looks through them. */
const isPublic = (file: string) => /^src\/([^/]+\/)?index(-node)?\.ts$/.test(file);
/** Files that may import node: modules. */
const isForNode = (file: string) => /-node\.ts$|^src\/cli\//.test(file);
/** The doors: the only files that know ONNX Runtime. */
const isDoor = (file: string) => /^src\/runtime\/doors\/ort-[a-z-]+\.ts$/.test(file);

const longFiles: Readonly<Record<string, string>> = {
  "src/ir/graph.ts": "Value, Node and Graph keep one invariant together (every use is recorded on both sides)",
};

/** Files whose types may know each other in a circle, with the reason. */
const typeCycles: Readonly<Record<string, string>> = {
  "src/ir/attribute.ts → src/ir/graph.ts": "an attribute holds graphs, and nodes of a graph hold attributes",
};

/** What is known per operator: a new operator does not compile until each of these says what it knows, or why not. */
const totalTables: readonly string[] = [
  "src/autodiff/rules.ts",
  "src/facts/commuting.ts",
  "src/facts/lengths/element-rules.ts",
  "src/facts/lengths/rules.ts",
  "src/facts/tables/half.ts",
  "src/facts/tables/ranks.ts",
  "src/facts/tables/types.ts",
  "src/methods/cross-layer-equalization/scale-rules.ts",
  "src/methods/dead-channels/rules.ts",
  "src/methods/expectations/rules.ts",
  "src/ops/table.ts",
  "src/quant/observers/output-gain.ts",
  "src/quant/observers/useful-range.ts",
  "src/runtime/batch-rules.ts",
];

const files = sourceFiles();
const sources = files.filter((file) => !file.isTest);
const relations = sources.flatMap((file) =>
  file.imports.flatMap((entry) => (entry.file ? [{ file, entry, target: entry.file }] : [])),
);
const layerOf = (file: string) => (file.split("/").length > 2 ? file.split("/")[1]! : "");

test("imports are found in every form", () => {
  const text = `#!/usr/bin/env node
/** import "comment"; */
import "./a.ts";
import type { B } from "../b/index.ts";
import { type C, type D } from "node:fs";
import E, {
  type F,
  g,
} from "zod";
export { h } from "./h.ts";
type I = typeof import("onnxruntime-node");
const j = await import("onnxruntime-web");
// import("nothing")
const k = 'import "text";';
`;
  expect(importsOf("src/ir/x.ts", text).map((i) => [i.file ?? i.from, i.typeOnly, i.dynamic])).toEqual([
    ["src/ir/a.ts", false, false],
    ["src/b/index.ts", true, false],
    ["node:fs", true, false],
    ["zod", false, false],
    ["src/ir/h.ts", false, false],
    ["onnxruntime-node", true, false],
    ["onnxruntime-web", false, true],
  ]);
  expect(
    cycleIn(
      new Map([
        ["a", new Set(["b"])],
        ["b", new Set(["c"])],
        ["c", new Set(["b"])],
      ]),
    ),
  ).toEqual(["b", "c", "b"]);
  expect(relations.length).toBeGreaterThan(sources.length);
});

describe("layers", () => {
  test("every folder of src/ has a rank", () => {
    const unknown = [...new Set(sources.map((file) => file.layer))].filter((layer) => rankOf(layer) === undefined);
    expect(unknown, "name the folder and its rank in test/architecture.test.ts and docs/architecture.md").toEqual([]);
  });

  test("docs/architecture.md lists the same ranks", () => {
    const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const rows = [...page.matchAll(/^\| (\d+) \| (.+) \|$/gm)];
    const listed = rows.flatMap(([, number, cell]) =>
      [...cell!.matchAll(/`([a-z]+)`/g)].map((match) => [match[1]!, Number(number)]),
    );
    expect(Object.fromEntries(listed)).toEqual(rank);
  });

  test("a folder imports only folders of a lower rank, types included", () => {
    const faults = relations
      .filter(({ file, target }) => {
        const [from, to] = [rankOf(file.layer) ?? 0, rankOf(layerOf(target)) ?? 0];
        return file.layer !== layerOf(target) && to >= from;
      })
      .map(({ file, target }) => {
        const to = layerOf(target);
        return `${file.path} imports ${target}: ${file.layer} (${rankOf(file.layer)}) may not know ${to} (${rankOf(to)})`;
      });
    expect(faults).toEqual([]);
  });

  test("other folders are imported through their inner door", () => {
    const faults = relations
      .filter(({ file, target }) => file.layer !== layerOf(target) && !isInner(target))
      .map(({ file, target }) => `${file.path} imports ${target}: import src/${layerOf(target)}/inner.ts instead`);
    expect(faults).toEqual([]);
  });

  test("a public door names parts of inner doors, and nothing in src/ imports one", () => {
    const through = relations
      .filter(({ target }) => isPublic(target))
      .map(({ file, target }) => `${file.path} imports ${target}: public doors are for programs`);
    expect(through).toEqual([]);
    const past = relations
      .filter(({ file, target }) => isPublic(file.path) && !isInner(target))
      .map(({ file, target }) => `${file.path} imports ${target}: export it from the inner door first`);
    expect(past).toEqual([]);
  });

  test("imports stay inside src/ and exist", () => {
    const known = new Set(files.map((file) => file.path));
    const faults = relations
      .filter(({ target }) => !known.has(target))
      .map(({ file, target }) => `${file.path} imports ${target}, which is not there`);
    expect(faults).toEqual([]);
  });
});

describe("cycles", () => {
  test("subfolders of a folder do not import each other in a circle, types included", () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of relations) {
      const [from, to] = [posix.dirname(file.path), posix.dirname(target)];
      // A folder and what lies inside it are one thing seen from two sides.
      if (from === to || from.startsWith(`${to}/`) || to.startsWith(`${from}/`)) continue;
      edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
    expect(cycleIn(edges)?.join(" → ") ?? "no cycle").toBe("no cycle");
  });

  test("files do not know each other in a circle, types included, but for exceptions with a reason", () => {
    const edges = new Map<string, Set<string>>();
    const used = new Set<string>();
    for (const { file, entry, target } of relations) {
      if (entry.dynamic) continue;
      const name = `${file.path} → ${target}`;
      if (entry.typeOnly && typeCycles[name]) used.add(name);
      else edges.set(file.path, (edges.get(file.path) ?? new Set()).add(target));
    }
    expect(cycleIn(edges)?.join(" → ") ?? "no cycle").toBe("no cycle");
    expect([...used], "an exception that nothing needs any more").toEqual(Object.keys(typeCycles));
  });
});

describe("platforms", () => {
  test("only the doors of runtime/ import ONNX Runtime", () => {
    const faults = importers(/^onnxruntime-/, isDoor);
    expect(faults, "open a model through the Runtime interface of src/runtime instead").toEqual([]);
  });

  test("only files for Node import its modules", () => {
    const faults = importers(/^node:/, (file) => isForNode(file) || isDoor(file));
    expect(faults, "call the file *-node.ts, or let the caller hand in what it needs").toEqual([]);
  });

  test("the doors of a folder load nothing that only works in Node", () => {
    const byPath = new Map(sources.map((file) => [file.path, file]));
    const faults = sources
      .filter(
        (file) =>
          /^src\/([^/]+\/)?(index|inner(-files|-place|-transformer)?)\.ts$/.test(file.path) && file.layer !== "cli",
      )
      .flatMap((file) => wayTo(/^node:/, file, byPath) ?? []);
    expect(faults, "export it from inner-node.ts instead: the doors must load in a browser").toEqual([]);
  });

  test("importing the package, or any folder of it, loads no runtime", () => {
    const byPath = new Map(sources.map((file) => [file.path, file]));
    const faults = sources
      .filter((file) => isPublic(file.path) || isInner(file.path))
      .flatMap((file) => wayTo(/^onnxruntime-/, file, byPath) ?? []);
    expect(faults, 'import the runtime when it is first opened: await import("onnxruntime-node")').toEqual([]);
  });
});

describe("start of the command", () => {
  test("looking at a model loads no schemas, no decoders, no gradients and no training", () => {
    const byPath = new Map(sources.map((file) => [file.path, file]));
    const commands = ["inspect", "optimize", "print", "diff", "extract", "convert", "upgrade"];
    const faults = commands.flatMap((name) => {
      const command = byPath.get(`src/cli/commands/${name}.ts`)!;
      return (
        wayTo(/^(zod|fast-png|fflate|@jsquash\/.*)$|\/(autodiff|train|methods)\/inner\.ts$/, command, byPath) ?? []
      );
    });
    expect(faults, "schemas and decoders stand behind inner-files.ts, placement alone behind inner-place.ts").toEqual(
      [],
    );
  });
});

describe("facts per operator", () => {
  test("are total tables, none of which is taken back", () => {
    const total = sources.filter((file) => /^(export )?const \w+: (Table<|Readonly<Record<OpType,)/m.test(file.text));
    expect(total.map((file) => file.path).sort()).toEqual(totalTables);
  });
});

describe("files", () => {
  test("are called by what they hold", () => {
    const drawers = /(^|[/-])(utils?|helpers?|common|misc|manager|core)([.-]|\/|$)/;
    expect(files.filter((file) => drawers.test(file.path.slice(4))).map((file) => file.path)).toEqual([]);
    expect(files.filter((file) => !/^[a-z0-9./-]+$/.test(file.path)).map((file) => file.path)).toEqual([]);
  });

  test("hold one concept: at most 400 lines, 800 with a reason", () => {
    const faults = files.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split("\n").length;
      if (lines > 800) return `${path} has ${lines} lines: split it`;
      return lines > 400 && !longFiles[path] && !path.endsWith(".generated.ts") ? `${path} has ${lines} lines` : [];
    });
    expect(faults, "split the file, or name it with the reason in test/architecture.test.ts").toEqual([]);
  });

  test("say in the first line what they are", () => {
    const opening = /^(#!.*\n)?(\/\*\*|\/\/)/;
    expect(sources.filter((file) => !opening.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  test("doors name what they export", () => {
    const indexes = sources.filter((file) => isInner(file.path) || isPublic(file.path));
    expect(indexes.filter((file) => !file.text.startsWith("/** @module")).map((file) => file.path)).toEqual([]);
    expect(indexes.filter((file) => /^export \*/m.test(file.text)).map((file) => file.path)).toEqual([]);
  });
});

function importers(what: RegExp, isAllowed: (file: string) => boolean): string[] {
  return sources
    .filter((file) => !isAllowed(file.path))
    .flatMap((file) => file.imports.filter((e) => what.test(e.from)).map((e) => `${file.path} imports ${e.from}`));
}

/** The chain of static imports from a file to one that imports such a module, or null. */
function wayTo(
  module: RegExp,
  file: SourceFile,
  byPath: ReadonlyMap<string, SourceFile>,
  seen = new Set<string>(),
): string | null {
  seen.add(file.path);
  for (const entry of file.imports) {
    if (entry.typeOnly || entry.dynamic) continue;
    if (module.test(entry.from)) return `${file.path} → ${entry.from}`;
    const next = entry.file ? byPath.get(entry.file) : undefined;
    const way = next && !seen.has(next.path) ? wayTo(module, next, byPath, seen) : null;
    if (way) return `${file.path} → ${way}`;
  }
  return null;
}
