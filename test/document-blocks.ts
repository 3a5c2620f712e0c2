/** What the documents show: fenced blocks, and the commands between backticks. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./source-files.ts";

export interface Block {
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

/** The pages that tell people what to type. */
export const pages: readonly string[] = [
  "README.md",
  "examples/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const read = (page: string) => readFileSync(join(root, page), "utf8");

export function blocks(): Block[] {
  return pages.flatMap((document) =>
    [...read(document).matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, language = "", text = ""]) => ({
      document,
      language,
      text,
    })),
  );
}

/** One command as it would be typed, continuation lines joined. */
export interface DocumentCommand {
  readonly document: string;
  readonly line: string;
}

const begins = /^(?:[A-Z_]+=\S+ )*(?:avocet|npm|npx|node|git) /;

/** The commands of fenced blocks without a language. */
export function fencedCommands(): DocumentCommand[] {
  return blocks()
    .filter(({ language }) => language === "" || language === "sh" || language === "bash")
    .flatMap(({ document, text }) =>
      text
        .replace(/\\\n\s*/g, "")
        .split("\n")
        .flatMap((line) => line.split(" && "))
        .filter((line) => begins.test(line))
        .map((line) => ({ document, line: line.trim() })),
    );
}

/** The commands between backticks, outside fenced blocks. */
export function inlineCommands(): DocumentCommand[] {
  return pages.flatMap((document) =>
    [
      ...read(document)
        .replace(/^```[\s\S]*?^```/gm, "")
        .matchAll(/`([^`\n]+)`/g),
    ]
      .map(([, line]) => ({ document, line: line! }))
      .filter(({ line }) => begins.test(line) || line === "avocet"),
  );
}

/** The words of a command, as a shell without quotes splits them. */
export function wordsOf(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "" && !/^[A-Z_]+=/.test(word));
}
