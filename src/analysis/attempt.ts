/** Judging takes no result away: what fails is reported next to what could be judged. */
import { AvocetError } from "../base/inner.ts";

/** Something that could not be judged. */
export interface Unjudged {
  readonly what: string;
  readonly reason: string;
}

/** What `judge` returns, or undefined where it fails, with a line in `unjudged`. Interruptions go on. */
export async function attempt<T>(what: string, unjudged: Unjudged[], judge: () => Promise<T>): Promise<T | undefined> {
  try {
    return await judge();
  } catch (error) {
    tell(what, unjudged, error);
    return undefined;
  }
}

/** The same for what needs no waiting. */
export function attemptNow<T>(what: string, unjudged: Unjudged[], judge: () => T): T | undefined {
  try {
    return judge();
  } catch (error) {
    tell(what, unjudged, error);
    return undefined;
  }
}

function tell(what: string, unjudged: Unjudged[], error: unknown): void {
  if (AvocetError.is(error) && error.code === "abort/interrupted") throw error;
  if (error instanceof Error && error.name === "AbortError") throw error;
  const reason = AvocetError.is(error) ? `${error.code}: ${error.message}` : String(error);
  unjudged.push({ what, reason: reason.replaceAll(/\s+/g, " ").slice(0, 500) });
}
