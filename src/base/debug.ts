/** The one dial for debugging: AVOCET_DEBUG=1 … 4 (docs/debugging.md says what each level shows). */

let level = Number((globalThis as { process?: { env?: Record<string, string> } }).process?.env?.AVOCET_DEBUG ?? 0);
let sink: (line: string) => void = (line) => console.error(line);

/** The current level, 0 (silent) to 4. */
export function debugLevel(): number {
  return level;
}

/** Sets the level and, optionally, where the lines go (default: console.error). */
export function setDebug(next: number, to: (line: string) => void = sink): void {
  level = next;
  sink = to;
}

/** Says a line if the dial is at `at` or higher; the text is only made when it is shown. */
export function debug(at: 1 | 2 | 3 | 4, text: () => string): void {
  if (level >= at) sink(`[avocet:${at}] ${text()}`);
}
