/** The options that several commands share, and how their values are read. */
import { type Command, Option } from "commander";
import { AvocetError } from "../base/index.ts";

/** Where samples come from. */
export function data(command: Command): void {
  command
    .option("--data <data>", "x.npy, x.npz, a folder of pictures, a pack's JSON index")
    .option("--preprocess <file>", "JSON that says how samples are decoded");
}

/** What decides whether an answer is right. */
export function judging(command: Command): void {
  command
    .option("--labels <labels>", "y.npy, a text file with one label a line, or class folders")
    .option("--metric <name>", "top1, top5 or miou", "top1")
    .option("--ignore-label <n>", "pixels with this label are not judged", whole);
}

/** How graphs are run and what is said meanwhile. */
export function common(command: Command): Command {
  return command
    .option("--batch <n>", "samples a run", whole)
    .option("--threads <n>", "threads of the runtime", whole)
    .addOption(
      new Option("--runtime <name>", "what runs the graphs").choices(["ort-node", "ort-web"]).default("ort-node"),
    )
    .option("--quiet", "no progress")
    .option("--json", "one JSON document on stdout, nothing else there");
}

/** Gathers a repeatable option. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A whole number from zero. */
export function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new AvocetError("usage/bad-value", `expected a whole number, got "${text}"`);
}

/** A share between 0 and 1. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new AvocetError("usage/bad-value", `expected a fraction between 0 and 1, got "${text}"`);
}

/** A whole number from one. */
export function positive(text: string): number {
  const value = whole(text);
  if (value > 0) return value;
  throw new AvocetError("usage/bad-value", `expected a whole number above zero, got "${text}"`);
}
