/** The contract of a pass: a whole-graph edit that counts its edits and says what it refused. */
import { AvocetError, debug, debugLevel } from "../base/inner.ts";
import { check, type Model, type Node } from "../ir/inner.ts";

/** Something that a pass recognised and left alone, with the reason. */
export interface Refusal {
  readonly pass: string;
  /** The node, as messages name it: "Conv conv1". */
  readonly node: string;
  readonly reason: string;
}

/** Takes notes while a pass runs: what was left alone, or what people should know of what was done. */
export type Refuse = (node: Node, reason: string) => void;

export interface Pass {
  /** A verb phrase in kebab-case, for example "fold-batch-norm". */
  readonly name: string;
  /** Throws when the pass cannot be applied to this model at all. */
  requires?(model: Model): void;
  /**
   * Edits the model in place; returns how many edits it made. Zero means the model is untouched. What it recognises
   * but leaves alone it tells to `refuse`, what people should know of its edits to `note`.
   */
  run(model: Model, refuse?: Refuse, note?: Refuse): number | Promise<number>;
}

export interface PassReport {
  readonly pass: string;
  readonly edits: number;
  readonly milliseconds: number;
  readonly refusals: readonly Refusal[];
  /** What people should know of the edits. */
  readonly notes: readonly Refusal[];
}

/** Runs one pass once and checks the graph if it edited it. */
export async function runPass(model: Model, pass: Pass): Promise<PassReport> {
  pass.requires?.(model);
  const refusals: Refusal[] = [];
  const notes: Refusal[] = [];
  const start = performance.now();
  const into = (list: Refusal[]) => (node: Node, reason: string) => {
    list.push({ pass: pass.name, node: `${node}`, reason });
    debug(2, () => `${pass.name} at ${node}: ${reason}`);
  };
  const edits = await pass.run(model, into(refusals), into(notes));
  const milliseconds = performance.now() - start;
  debug(1, () => `${pass.name}: ${edits} edits, ${milliseconds.toFixed(1)} ms`);
  if (edits > 0 || debugLevel() >= 1) check(model, `after ${pass.name}`);
  return { pass: pass.name, edits, milliseconds, refusals, notes };
}

/** Runs the passes in order, again and again until none edits any more; throws `pass/diverges` after `limit` rounds. */
export async function runPasses(model: Model, passes: readonly Pass[], limit = 8): Promise<PassReport[]> {
  const reports: PassReport[] = [];
  for (let round = 0; round < limit; round++) {
    let edits = 0;
    for (const pass of passes) {
      const report = await runPass(model, pass);
      reports.push(report);
      edits += report.edits;
    }
    if (edits === 0) return reports;
  }
  throw new AvocetError("pass/diverges", `expected the passes to come to rest within ${limit} rounds`, {
    at: passes.map((p) => p.name).join(", "),
  });
}
