/** Files that commands write: never over an input or a stranger's file, over another only with --force, whole or not at all. */
import { dirname } from "node:path";
import { AvocetError } from "../base/inner.ts";
import {
  disk,
  expectApart,
  expectFile,
  newFileBeside,
  outputPlace,
  quietly,
  readBytes,
  type Seen,
  sweepFiles,
  writable,
} from "../base/inner-node.ts";

export interface OutputOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What a command writes; --force replaces a file of this kind only. */
export type OutputKind = "model" | "text" | "arrays" | "plan" | "encodings" | "page" | "junit" | "statistics";

export interface OutputFile {
  /** Where it goes, links followed. */
  readonly place: string;
  /** What was there at the start and may be replaced; null is nothing. */
  readonly seen: Seen;
  /** Throws `output/is-input` when the place is, or holds, one of these. */
  expectApart(inputs: readonly string[]): void;
  /** Throws `output/exists` when something appeared there meanwhile, and `output/not-writable`. */
  write(content: string | Uint8Array): void;
}

/**
 * Opens the output of a command before its work begins, so that what stands in the way is reported at once. Throws `output/exists`
 * without --force; with it `output/not-ours` for what is of another kind; `output/is-input`; `output/not-writable`.
 */
export function openOutputFile(
  path: string,
  { force = false, kind, inputs }: { force?: boolean | undefined; kind: OutputKind; inputs: readonly string[] },
): OutputFile {
  const place = outputPlace(path);
  expectApart(place, inputs);
  const found = writable(path, () => disk.lstat(place));
  if (found) {
    expectFile(path, found);
    if (!force) {
      throw new AvocetError("output/exists", `expected a new file, ${path} exists`, {
        at: path,
        hint: "--force replaces it",
      });
    }
    expectKind(path, place, kind);
  }
  const parent = writable(path, () => disk.stat(dirname(place)));
  if (!parent?.isDirectory()) {
    throw new AvocetError("output/not-writable", `expected a file in a folder, ${dirname(path)} is none`, {
      at: path,
      hint: "make the folder first",
    });
  }
  sweepFiles(place);
  // Whether the place can be written is found by writing there.
  newFileBeside(place, () => {})[Symbol.dispose]();
  const seen = found ? { dev: found.dev, ino: found.ino } : null;
  return {
    place,
    seen,
    expectApart: (more) => expectApart(place, more),
    write(content) {
      using made = newFileBeside(place, (sink) => sink(typeof content === "string" ? Buffer.from(content) : content));
      made.publish(place, seen);
    },
  };
}

/** How files of a kind begin, or what is in them. */
const kinds: Readonly<Record<OutputKind, { readonly what: string; readonly is: (path: string) => boolean }>> = {
  model: {
    what: "an ONNX model",
    is: (path) => modelTags.includes(startOf(path)[0] ?? -1) && !startsAs(path, /^[\t\n\r -~]{8,}$/),
  },
  text: { what: "a model as text", is: (path) => startsAs(path, /^\s*<\s*ir_version/) },
  arrays: { what: "an .npz file", is: (path) => startsAs(path, /^PK/) },
  plan: { what: "a plan", is: (path) => startsAs(path, /^\s*\{/) && holds(path, ['"target"', '"entries"']) },
  encodings: { what: "encodings", is: (path) => startsAs(path, /^\s*\{/) && holds(path, ['"version"', 'encodings"']) },
  statistics: {
    what: "statistics",
    is: (path) => startsAs(path, /^\s*\{"version"/) && holds(path, ['"samples"', '"values"']),
  },
  junit: {
    what: "a JUnit file of Avocet",
    is: (path) => startsAs(path, /^<\?xml/) && holds(path, ['<testsuite name="avocet ']),
  },
  page: { what: "a report", is: (path) => startsAs(path, /^<!doctype html>/) && holds(path, ["Made by Avocet"]) },
};

/** Throws `output/not-ours` when a file is not of the kind that replaces it. An empty file holds nothing to lose. */
function expectKind(path: string, place: string, kind: OutputKind): void {
  if (writable(path, () => disk.stat(place))?.size === 0 || kinds[kind].is(place)) return;
  throw new AvocetError("output/not-ours", `expected ${kinds[kind].what} to replace, got a file of another kind`, {
    at: path,
    hint: "--force replaces a file by one of its kind: remove it yourself, or choose another output",
  });
}

/** First bytes of an ONNX file: the tags of the fields of a ModelProto. */
const modelTags = [0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca];

function startOf(path: string): Uint8Array {
  return quietly(() => readBytes(path, 256)) ?? new Uint8Array(0);
}

function startsAs(path: string, pattern: RegExp): boolean {
  return pattern.test(Buffer.from(startOf(path)).toString("latin1"));
}

function holds(path: string, words: readonly string[]): boolean {
  const text = Buffer.from(quietly(() => readBytes(path)) ?? []);
  return words.every((word) => text.includes(word));
}
