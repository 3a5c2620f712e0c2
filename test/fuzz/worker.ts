/**
 * A process that tries mutants one after the other: `node worker.js HEARTBEAT LIMIT`. Jobs come as messages; the seed that is
 * being tried stands in the heartbeat file, so that whoever watches knows what hung, crashed or grew.
 */
import { openSync, writeSync } from "node:fs";
import { AvocetError, Random } from "../../src/base/inner.ts";
import type { Mutant } from "./mutant.ts";
import type { Job, Outcome } from "./run.ts";
import { targets } from "./targets.ts";

const [, , heartbeat, limit] = process.argv;
const file = openSync(heartbeat!, "r+");
const beat = Buffer.alloc(8);

function mark(seed: number): void {
  beat.writeDoubleLE(seed);
  writeSync(file, beat, 0, 8, 0);
}

const pollution = Object.getOwnPropertyNames(Object.prototype).length;

async function tryOne(name: string, seed: number): Promise<Outcome> {
  try {
    await mutantOf(name, seed).run();
    if (Object.getOwnPropertyNames(Object.prototype).length !== pollution)
      throw new Error("Object.prototype was changed");
    return { kind: "ok" };
  } catch (error) {
    if (AvocetError.is(error)) {
      const { code, detail, message } = error;
      if (code === undefined || message.length > 20_000)
        return { kind: "foreign", text: `message of ${message.length} characters: ${message.slice(0, 200)}` };
      return { kind: "error", code, at: !!detail.at, hint: !!detail.hint };
    }
    return { kind: "foreign", text: error instanceof Error ? (error.stack ?? `${error}`) : `${error}` };
  }
}

/** The same for the same seed, whatever was tried before. */
function mutantOf(name: string, seed: number) {
  let hash = seed;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return targets[name]!(new Random(hash));
}

/** The mutant as a file; the story of its making where that is what failed. */
function shown(name: string, seed: number): Pick<Mutant, "bytes" | "ending" | "data"> {
  try {
    return mutantOf(name, seed);
  } catch (error) {
    return { bytes: new TextEncoder().encode(`${error}`), ending: "txt" };
  }
}

process.on("message", async (job: Job | { readonly target: string; readonly show: number }) => {
  if ("show" in job) {
    const { bytes, ending, data } = shown(job.target, job.show);
    const plain = (part: Uint8Array) => Buffer.from(part).toString("base64");
    process.send!({ bytes: plain(bytes), ending, ...(data ? { data: plain(data()) } : {}) });
    return;
  }
  let counts: Record<string, number> = {};
  const send = (failures: readonly { seed: number; outcome: Outcome }[], next?: number) => {
    process.send!({ counts, failures, next, peak: process.resourceUsage().maxRSS * 1024 });
    counts = {};
  };
  let seed = job.first;
  for (; seed < job.first + job.count; seed++) {
    mark(seed);
    const outcome = await tryOne(job.target, seed);
    for (const kind of kindsOf(outcome)) counts[kind] = (counts[kind] ?? 0) + 1;
    if (outcome.kind === "foreign") send([{ seed, outcome }]);
    else if (seed % 64 === 0) send([]);
    // The peak never falls again: a new process must try the rest.
    if (process.resourceUsage().maxRSS * 1024 > Number(limit)) {
      send([{ seed, outcome: { kind: "memory" } }]);
      seed++;
      break;
    }
  }
  mark(-1);
  send([], seed);
});

/** What an outcome counts as: errors by their code, too, with what they lack. */
function kindsOf(outcome: Outcome): string[] {
  if (outcome.kind !== "error") return [outcome.kind];
  const lacks = `${outcome.at ? "" : " without place"}${outcome.hint ? "" : " without hint"}`;
  return ["error", lacks ? `${outcome.code}${lacks}` : outcome.code];
}

mark(-1);
process.send!({ ready: Object.keys(targets) });
