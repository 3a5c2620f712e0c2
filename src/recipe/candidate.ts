/** What a search tries: float models and a plan for them, as one thing that is scored, kept, and sent to other threads. */
import { AvocetError, expectArguments, packRecord, unpackRecord } from "../base/inner.ts";
import { readModel, writeModel } from "../formats/inner.ts";
import type { Model } from "../ir/inner.ts";
import { type Lowered, lower, type Plan } from "../quant/inner.ts";
import { planFromJson, planToJson } from "../quant/inner-files.ts";

export interface CandidateParts {
  /** The float model before any weight was rounded. */
  readonly prepared: Model;
  /** The same layers with the weights that were decided. It may be the prepared model itself. */
  readonly decided: Model;
  readonly plan: Plan;
}

/**
 * @example
 * const candidate = new Candidate(await quantizeModel(model, data, recipe, runtime));
 * worker.postMessage(candidate.bytes()); // there: Candidate.from(bytes)
 */
export class Candidate implements CandidateParts {
  readonly prepared: Model;
  readonly decided: Model;
  readonly plan: Plan;

  constructor({ prepared, decided, plan }: CandidateParts) {
    this.prepared = prepared;
    this.decided = decided;
    this.plan = plan;
  }

  /** The model that would ship. */
  shipped(): Model {
    return this.lowered().model;
  }

  /** The same with what became of each value and layer. */
  lowered(): Lowered {
    return lower(this.decided, this.plan);
  }

  /** All of it, weights included; the same bytes for the same candidate. */
  bytes(): Uint8Array<ArrayBuffer> {
    const arrays = {
      prepared: writeModel(this.prepared),
      ...(this.decided === this.prepared ? {} : { decided: writeModel(this.decided) }),
    };
    return packRecord({ facts: { candidate: 1, plan: planToJson(this.plan) }, arrays });
  }

  /** Throws `import/malformed` for bytes that no candidate made, and what `readModel` and `planFromJson` throw. */
  static from(bytes: Uint8Array): Candidate {
    expectArguments("Candidate.from(bytes)", { bytes: [bytes, "bytes"] });
    const { facts, arrays } = unpacked(bytes);
    const { candidate, plan } = (facts ?? {}) as { readonly candidate?: unknown; readonly plan?: unknown };
    const prepared = arrays.prepared;
    if (candidate !== 1 || typeof plan !== "string" || !(prepared instanceof Uint8Array)) throw malformed();
    const model = readModel(prepared);
    const decided = arrays.decided instanceof Uint8Array ? readModel(arrays.decided) : model;
    return new Candidate({ prepared: model, decided, plan: planFromJson(plan, "candidate") });
  }
}

function unpacked(bytes: Uint8Array) {
  try {
    return unpackRecord(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause?: unknown): AvocetError {
  return new AvocetError("import/malformed", "expected what Candidate.bytes() gives, got other bytes", { cause });
}
