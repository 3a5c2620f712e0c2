/** What a command may touch of the outside: two streams, the terminal's abilities and the interrupt. */

export interface Io {
  /** Data for machines and pipes: stdout. */
  out(text: string): void;
  /** Words for people: stderr. */
  err(text: string): void;
  /** Whether stderr is a terminal that can redraw a line. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}
