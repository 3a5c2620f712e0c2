/**
 * What is being done right now, for whoever watches over the process. Native code can neither be interrupted nor asked, so
 * what is about to enter it says so first: when the process dies or stands still, the watcher knows where.
 */

export interface Doing {
  /** In the words of a message, for example "running". */
  readonly what: string;
  /** The file, node or operator. */
  readonly at?: string | undefined;
  /** After so many seconds the work may be ended, together with the process. Default: no limit of its own. */
  readonly seconds?: number;
}

/** Takes note that work begins; what it returns is called when the work ends, whichever way. */
export type Watcher = (doing: Doing) => () => void;

let watcher: Watcher | null = null;

/** One for the whole process, since it is the whole process that native code ends; null (the default) watches nothing. */
export function setWatcher(next: Watcher | null): void {
  watcher = next;
}

/** Runs the work under the eyes of the watcher, if there is one. */
export async function watched<T>(doing: () => Doing, work: () => Promise<T>): Promise<T> {
  if (!watcher) return await work();
  const ends = watcher(doing());
  try {
    return await work();
  } finally {
    ends();
  }
}
