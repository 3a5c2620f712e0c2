/** Declarations of exported names, read from the text of the .d.ts files that the compiler makes. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./source-files.ts";

/** Compiles the declarations of src/ into a folder of its own, which ends with the scope. */
export function emitDeclarations(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "avocet-types-"));
  const tsc = join(root, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", folder], { cwd: root });
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What a module exports: name → its declaration without comments, or where it comes from when it is not found. */
export function declarationsOf(path: string): Map<string, string> {
  const text = stripped(readFileSync(path, "utf8"));
  const found = new Map<string, string>();
  for (const [, names = "", from = ""] of text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm)) {
    const there = declarationsOf(join(dirname(path), from.replace(/\.(ts|js)$/, ".d.ts")));
    for (const entry of names
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean)) {
      const [inner = "", outer = inner] = entry.replace(/^type /, "").split(" as ");
      found.set(outer, there.get(inner) ?? `${inner} of ${from}`);
    }
  }
  // Overloads stand one after the other.
  for (const match of text.matchAll(
    /^export (?:declare )?(?:abstract )?(function|class|interface|type|const) (\w+)/gm,
  )) {
    const [, , name = ""] = match;
    const declared = statementAt(text, match.index).replace(/^export (declare )?/, "");
    found.set(name, found.has(name) ? `${found.get(name)}\n${declared}` : declared);
  }
  return found;
}

/** From the start of a statement to its end: a semicolon outside of brackets, or the brace that closes a body. */
function statementAt(text: string, start: number): string {
  const hasBody = /^export (?:declare )?(?:abstract )?(class|interface) /.test(text.slice(start, start + 60));
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text[i]!;
    if ("{([".includes(c)) depth++;
    if ("})]".includes(c) && --depth === 0 && hasBody && c === "}") return text.slice(start, i + 1);
    if (c === ";" && depth === 0) return text.slice(start, i + 1);
  }
  return text.slice(start);
}

/** Without comments, private parts and the layout of lines: what a user sees. */
function stripped(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/^\s+#private;\n/gm, "")
    .replaceAll(/\n\s*\n/g, "\n");
}
