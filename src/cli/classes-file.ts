/** `--classes FILE`: which class of the model a name (of a folder, of a label) is. */
import { AvocetError, parseJson } from "../base/inner.ts";
import type { ClassLabels } from "../data/inner.ts";
import { readTextFile } from "./text-file.ts";

export interface ClassFile {
  readonly path: string;
  /** Class by name; a class may have several. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Names by class, where each class has one: what labels given as names are looked up in. */
  readonly names?: readonly string[];
}

/**
 * Text: one name a line, the first is class 0. JSON: an array of names; an object from names to classes; or one from classes to a name
 * or to several (`{"0": ["n01440764", "tench"]}`). Throws `data/labels`, `import/not-found`.
 */
export function readClasses(path: string): ClassFile {
  const text = readTextFile(path);
  const entries = /^\s*[[{]/.test(text) ? entriesOfJson(text, path) : entriesOfLines(text);
  const numbers = new Map<string, number>();
  for (const [name, number] of entries) {
    const before = numbers.get(name);
    if (before !== undefined && before !== number) {
      throw new AvocetError("data/labels", `expected one class for the name "${name}", got ${before} and ${number}`, {
        at: path,
      });
    }
    numbers.set(name, number);
  }
  if (numbers.size === 0) throw new AvocetError("data/labels", "expected names of classes, got none", { at: path });
  return { path, numbers, ...namesOf(entries) };
}

function entriesOfLines(text: string): [string, number][] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim());
  while (lines.at(-1) === "") lines.pop();
  return lines.flatMap((line, number) => (line === "" ? [] : [[line, number] as [string, number]]));
}

function entriesOfJson(text: string, path: string): [string, number][] {
  const wrong = (what: string) =>
    new AvocetError("data/labels", `expected an array of names, or an object of names and classes, got ${what}`, {
      at: path,
    });
  const json = parseJson(text, { at: path, code: "data/labels" });
  if (Array.isArray(json)) {
    return json.map((name, number) => {
      if (typeof name !== "string") throw wrong(`${JSON.stringify(name)} at ${number}`);
      return [name, number];
    });
  }
  if (typeof json !== "object" || json === null) throw wrong(JSON.stringify(json).slice(0, 40));
  return Object.entries(json).flatMap(([key, value]): [string, number][] => {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return [[key, value as number]];
    const names = typeof value === "string" ? [value] : value;
    if (/^\d+$/.test(key) && Array.isArray(names) && names.every((name) => typeof name === "string")) {
      return names.map((name) => [name as string, Number(key)]);
    }
    throw wrong(`${JSON.stringify(key)}: ${JSON.stringify(value)}`.slice(0, 80));
  });
}

function namesOf(entries: readonly (readonly [string, number])[]): { names?: readonly string[] } {
  const names: string[] = [];
  for (const [name, number] of entries) {
    if (names[number] !== undefined || number > 1e6) return {};
    names[number] = name;
  }
  return names.length === entries.length ? { names } : {};
}

/** Labels whose numbers are an order of names, as the classes that the file says. Throws `data/labels` for a name that it lacks. */
export function renumbered(labels: ClassLabels, { path, numbers }: ClassFile): ClassLabels {
  const { names } = labels;
  if (!names) return labels;
  const absent = names.filter((name) => !numbers.has(name));
  if (absent.length > 0) {
    const more = absent.length > 3 ? ` and ${absent.length - 3} more` : "";
    throw new AvocetError(
      "data/labels",
      `expected every class that the labels name, ${absent
        .slice(0, 3)
        .map((name) => `"${name}"`)
        .join(", ")}${more} are not there`,
      { at: path, hint: `it has ${numbers.size} names, for example "${[...numbers.keys()][0]}"` },
    );
  }
  const classes = names.map((name) => numbers.get(name)!);
  return { ...labels, at: (index) => classes[labels.at(index)]! };
}
