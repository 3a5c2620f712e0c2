/** The contract of a pass: a whole-graph edit that counts its edits. */
import { AvocetError, debug, debugLevel } from "../base/index.ts";
import { check, type Model } from "../ir/index.ts";

export interface Pass {
  /** A verb phrase in kebab-case, for example "fold-batch-norm". */
  readonly name: string;
  /** Throws when the pass cannot be applied to this model at all. */
  requires?(model: Model): void;
  /** Edits the model in place; returns how many edits it made. Zero means the model is untouched. */
  run(model: Model): number | Promise<number>;
}

export interface PassReport {
  readonly pass: string;
  readonly edits: number;
  readonly milliseconds: number;
}

/** Runs the passes in order, again and again until none edits any more; throws `pass/diverges` after `limit` rounds. */
export async function runPasses(model: Model, passes: readonly Pass[], limit = 8): Promise<PassReport[]> {
  const reports: PassReport[] = [];
  for (let round = 0; round < limit; round++) {
    let edits = 0;
    for (const pass of passes) {
      pass.requires?.(model);
      const start = performance.now();
      const made = await pass.run(model);
      const milliseconds = performance.now() - start;
      reports.push({ pass: pass.name, edits: made, milliseconds });
      debug(1, () => `${pass.name}: ${made} edits, ${milliseconds.toFixed(1)} ms`);
      if (made > 0 || debugLevel() >= 1) check(model, `after ${pass.name}`);
      edits += made;
    }
    if (edits === 0) return reports;
  }
  throw new AvocetError("pass/diverges", `expected the passes to come to rest within ${limit} rounds`, {
    at: passes.map((p) => p.name).join(", "),
  });
}
