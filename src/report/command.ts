/** Commands to copy: the one that made the run, with other options. */

/** What an advice changes. */
export interface Change {
  /** Options that are set, by their long name; null takes one away. */
  readonly set?: Readonly<Record<string, string | null>>;
  /** Options that are added next to those of their name. */
  readonly add?: readonly (readonly [option: string, value: string])[];
  /** "train" instead of "quantize". */
  readonly name?: string;
  /** What the output folder's name gets at its end. */
  readonly suffix: string;
}

/** The arguments of a run that tries something else, into a folder of its own; undefined where the run was no command. */
export function changedCommand(command: readonly string[] | undefined, change: Change): string | undefined {
  if (!command || command.length < 2) return undefined;
  const { set = {}, add = [], name = command[0]!, suffix } = change;
  const gone = new Set([...Object.keys(set), "--output", "--force", "--resume", "--json", "--quiet"]);
  const flags = new Set(["--force", "--resume", "--json", "--quiet"]);
  const kept: string[] = [name];
  let output = "out";
  for (let i = 1; i < command.length; i++) {
    const [option, inline] = splitOption(command[i]!);
    if (option === "--output") output = inline ?? command[i + 1] ?? output;
    if (!gone.has(option)) kept.push(command[i]!);
    else if (!flags.has(option) && inline === undefined) i++;
  }
  const folder = `${output.replace(/[/\\]+$/, "")}-${suffix}`;
  const given = Object.entries(set).flatMap(([option, value]) => (value === null ? [] : [option, value]));
  return shellWords(["avocet", ...kept, ...given, ...add.flat(), "-o", folder]);
}

/** `--option=value`, and the one short option. */
function splitOption(word: string): [option: string, inline: string | undefined] {
  if (word === "-o") return ["--output", undefined];
  if (word.startsWith("-o") && !word.startsWith("--")) return ["--output", word.slice(2)];
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

/** Words as a POSIX shell reads them back. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
