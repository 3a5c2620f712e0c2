/** The source files of the package and what they import, as text: for the tests of the architecture. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(fileURLToPath(new URL(".", import.meta.url)), "..");

export interface Import {
  /** As written: "./graph.ts", "../ir/index.ts", "node:fs", "zod". */
  readonly from: string;
  readonly typeOnly: boolean;
  /** `import("…")`, which loads when it runs. */
  readonly dynamic: boolean;
  /** The imported file, relative to the repository, for relative imports. */
  readonly file: string | null;
}

export interface SourceFile {
  /** Relative to the repository, with slashes: "src/ir/graph.ts". */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  /** "ir"; "" for files directly in src/. */
  readonly layer: string;
  readonly imports: readonly Import[];
}

/** Every TypeScript file under a folder of the repository. */
export function sourceFiles(folder = "src"): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const parts = path.split("/");
      return {
        path,
        text,
        isTest: /(\.test|-suite)\.ts$/.test(path),
        layer: parts.length > 2 ? parts[1]! : "",
        imports: importsOf(path, text),
      };
    });
}

// Statements begin at the start of a line (the formatter sees to it), so comments and strings are not taken for imports.
const statement = /^(?:import|export)\b\s*(type\b(?!\s*,))?([^;"]*?)(?:\bfrom\s*)?"([^"]+)";/gm;
const call = /^(?!\s*(?:\*|\/\/)).*?\bimport\("([^"]+)"\)/gm;

/** The imports in a file's text; `path` is where relative ones start. */
export function importsOf(path: string, text: string): Import[] {
  const resolve = (from: string) => (from.startsWith(".") ? posix.join(posix.dirname(path), from) : null);
  const found: Import[] = [];
  for (const [, type, names = "", from = ""] of text.matchAll(statement)) {
    const each =
      /\{([^}]*)\}/
        .exec(names)?.[1]
        ?.split(",")
        .map((name) => name.trim())
        .filter(Boolean) ?? [];
    const onlyTypes =
      /^\s*\{[^}]*\}\s*$/.test(names) && each.length > 0 && each.every((name) => name.startsWith("type "));
    found.push({ from, typeOnly: type !== undefined || onlyTypes, dynamic: false, file: resolve(from) });
  }
  for (const [line, from = ""] of text.matchAll(call)) {
    const typeOnly = /\btypeof import\(/.test(line);
    found.push({ from, typeOnly, dynamic: !typeOnly, file: resolve(from) });
  }
  return found;
}

/** The first cycle of a graph, closed ("a → b → a"), or null. */
export function cycleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | null {
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (node: string): string[] | null => {
    if (state.get(node) === "done") return null;
    if (state.get(node) === "open") return [...path.slice(path.indexOf(node)), node];
    state.set(node, "open");
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    state.set(node, "done");
    return null;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle) return cycle;
  }
  return null;
}
