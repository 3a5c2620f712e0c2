/** What a command may touch of the outside: two streams, the terminal's abilities and the interrupt. */
import { visible, visibleLine } from "./visible.ts";

/** What a process returns: streams that take any text. */
export interface RawIo {
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

/** The same for commands: what they print is safe for a terminal. */
export interface Io extends RawIo {
  /** Draws the last line of a terminal again; what is printed next begins below it. */
  draw(line: string): void;
}

/** Streams whose text is made visible; a line that is being drawn is ended before anything else is printed. */
export function safeIo(raw: RawIo): Io {
  let drawing = false;
  const settle = () => {
    if (drawing) raw.err("\n");
    drawing = false;
  };
  return {
    ...raw,
    out(text) {
      settle();
      raw.out(visible(text));
    },
    err(text) {
      settle();
      raw.err(raw.color ? coloured(visible(text)) : visible(text));
    },
    draw(line) {
      drawing = true;
      raw.err(`\r\x1b[2K${visibleLine(line)}`);
    },
  };
}

/** Errors begin in red. The user's own words come later in a line, and are visible already. */
function coloured(text: string): string {
  return text.replace(/^error \S+:/gm, (found) => `\x1b[31m${found}\x1b[39m`);
}
