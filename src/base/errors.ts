/** The one error class of Avocet. */
import type { ErrorCode } from "./error-codes.ts";
import { remedies } from "./remedies.ts";

export interface ErrorDetail {
  /** The file, node, operator or option where it happened. */
  readonly at?: string;
  /** One sentence that says what to do. Default: what helps with this code in general (remedies.ts). */
  readonly hint?: string;
  readonly cause?: unknown;
}

const brand = Symbol.for("avocet.error");

/** Characters of a message; what an error repeats may be as long as a file. Every fault of a recipe at once fits. */
const longestText = 4000;

function bounded(text: string, most = longestText): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} characters more)`;
}

/**
 * A mistake in what the user gave us (a file, an option, a model). Our own bugs are plain `Error`s whose message
 * starts with `internal:`. The message follows "expected <rule>, got <value>"; place and remedy are separate fields.
 */
export class AvocetError extends Error {
  override readonly name = "AvocetError";
  readonly [brand] = true;
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, problem: string, detail: ErrorDetail = {}) {
    super(bounded(problem), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    const { at, hint = remedies[code] } = detail;
    this.detail = {
      ...detail,
      ...(at !== undefined && { at: bounded(at, longestText / 4) }),
      ...(hint !== undefined && { hint: bounded(hint) }),
    };
  }

  /** Recognises errors of other copies of the package and of other workers, which `instanceof` does not. */
  static is(error: unknown): error is AvocetError {
    return typeof error === "object" && error !== null && brand in error;
  }

  /** The full text for people: problem, place, remedy. `shown` makes a place fit for where it is shown. */
  describe(shown = (at: string) => at): string {
    const at = this.detail.at ? ` (at ${shown(this.detail.at)})` : "";
    const hint = this.detail.hint ? `\n  hint: ${this.detail.hint}` : "";
    return `${this.message}${at}${hint}`;
  }

  toJSON(): { code: ErrorCode; message: string; at: string | null; hint: string | null } {
    return { code: this.code, message: this.message, at: this.detail.at ?? null, hint: this.detail.hint ?? null };
  }
}

/** Throws `AvocetError(code, …)` unless the condition holds. */
export function ensure(
  condition: unknown,
  code: ErrorCode,
  problem: () => string,
  detail?: ErrorDetail,
): asserts condition {
  if (!condition) throw new AvocetError(code, problem(), detail);
}

/** A condition that only a bug of ours can break. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}
