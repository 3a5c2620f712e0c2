/**
 * Text for people, made safe: names of nodes, values and files come from strangers, and may hold what a terminal takes for
 * orders. Everything that a command prints goes through here.
 */

/** Control characters but for line ends and tabs, and those that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The text with such characters spelled out: `\u001b`. In JSON that is the same string. */
export function visible(text: string): string {
  return text.replace(unsafe, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same for a name within a line: line ends and tabs too are spelled out. */
export function visibleLine(text: string): string {
  return visible(text).replace(/[\n\t]/g, (found) => (found === "\n" ? "\\n" : "\\t"));
}
