/** The results of all runs so far, and their table. */
import type { Result } from "./run.ts";

export interface TargetTally {
  /** The first seed that was not tried. */
  readonly next: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly peak: number;
}

export type Tally = Readonly<Record<string, TargetTally>>;

export function tallied(tally: Tally, target: string, next: number, { counts, peak }: Result): Tally {
  const before = tally[target] ?? { next: 0, counts: {}, peak: 0 };
  const sum: Record<string, number> = { ...before.counts };
  for (const [kind, more] of Object.entries(counts)) sum[kind] = (sum[kind] ?? 0) + more;
  return { ...tally, [target]: { next: Math.max(next, before.next), counts: sum, peak: Math.max(peak, before.peak) } };
}

export const readTally = (text: string): Tally => JSON.parse(text) as Tally;
export const writeTally = (tally: Tally): string => `${JSON.stringify(tally, null, 1)}\n`;

const bad = ["foreign", "hang", "memory", "crash"];

/** One row a target, and the sum, in Markdown. */
export function tableOf(tally: Tally, machine: string): string {
  const kinds = ["ok", "error", ...bad];
  const row = (name: string, counts: Readonly<Record<string, number>>, peak: number) => {
    const tried = kinds.reduce((sum, kind) => sum + (counts[kind] ?? 0), 0);
    const cells = [tried, ...kinds.map((kind) => counts[kind] ?? 0)].map((n) => n.toLocaleString("en"));
    return `| ${name} | ${cells.join(" | ")} | ${Math.round(peak / 1e6)} |`;
  };
  const all: Record<string, number> = {};
  for (const { counts } of Object.values(tally))
    for (const [kind, n] of Object.entries(counts)) all[kind] = (all[kind] ?? 0) + n;
  const peak = Math.max(0, ...Object.values(tally).map((one) => one.peak));
  const bare = Object.entries(all).filter(([kind]) => kind.includes(" without "));
  const survived = Object.entries(all)
    .filter(([kind]) => kind.endsWith("(by the command)"))
    .reduce((sum, [, n]) => sum + n, 0);
  return [
    "# Damaged input",
    "",
    `\`node bench/fuzz.mjs\`, ${machine}. A mutant is a sound file that was damaged from a seed (bytes, protobuf fields, graphs,`,
    "words of texts, values of JSON) and put through a part of the product; `test/fuzz` says which. *Fine*: it was taken.",
    "*Refused*: an `AvocetError` with a code. *Foreign*: any other exception, or a written model that reads back as other bytes. *Hang*:",
    "longer than 20 s. *Memory*: a process over 1.6 GB. *Crash*: the process ended. MB: the peak of a process. Where the runtime's",
    "native code hung or ended the process, the built command was run on the same file: what it survived and named counts as refused.",
    "",
    "| target | tried | fine | refused | foreign | hang | memory | crash | MB |",
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ...Object.entries(tally).map(([name, { counts, peak }]) => row(name, counts, peak)),
    row("**all**", all, peak),
    "",
    `Of the refusals the command survived native code: ${survived}.`,
    "",
    bare.length === 0
      ? "Every refusal has a place and a hint."
      : `Refusals that lack a place or a hint: ${bare.map(([kind, n]) => `${kind} ${n}`).join(", ")}.`,
    "",
  ].join("\n");
}
