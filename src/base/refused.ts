/** A reason in place of a result. Refusing is normal, so it is a value and not an error. */

/** Why there is no answer, or why something is left alone. */
export interface Refused {
  readonly refused: string;
}

/** An answer that says no; the reason completes "left alone because …". */
export function refuse(reason: string): Refused {
  return { refused: reason };
}

/** Whether an answer is a refusal. */
export function isRefused(answer: unknown): answer is Refused {
  return typeof answer === "object" && answer !== null && "refused" in answer;
}
