/** `avocet completion SHELL`: a script that completes commands, options and their values, made from the commands themselves. */
import type { Command, Option } from "commander";
import { AvocetError } from "../../base/inner.ts";

/** The script. Throws `usage/bad-value` for a shell that is not known. */
export function completion(program: Command, shell: string): string {
  const script = scripts[shell as keyof typeof scripts];
  if (script) return script(program.commands.filter((command) => !hidden(command)).map(described));
  throw new AvocetError("usage/bad-value", `expected a shell, got "${shell}"`, {
    at: "avocet completion",
    hint: Object.keys(scripts).join(", "),
  });
}

interface Described {
  readonly name: string;
  readonly text: string;
  readonly options: readonly DescribedOption[];
}

interface DescribedOption {
  readonly long: string;
  readonly text: string;
  /** Null: it takes no value; empty: files. */
  readonly values: readonly string[] | null;
}

function hidden(command: Command): boolean {
  return (command as Command & { readonly _hidden?: boolean })._hidden === true;
}

function described(command: Command): Described {
  const options = command.options.filter((option) => !option.hidden && option.long).map(describedOption);
  return { name: command.name(), text: command.description(), options };
}

function describedOption(option: Option): DescribedOption {
  const takes = option.required || option.optional;
  return { long: option.long!, text: option.description, values: takes ? (option.argChoices ?? []) : null };
}

/** In single quotes of a shell: names and descriptions are ours, and may hold any sign. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

const scripts = { bash, zsh, fish };

function bash(commands: readonly Described[]): string {
  const choices = valued(commands).map(
    ([name, { long, values }]) => `    ${quoted(`${name} ${long}`)}) words=${quoted(values!.join(" "))} ;;`,
  );
  const files = filed(commands).map(([name, { long }]) => quoted(`${name} ${long}`));
  return `# source <(avocet completion bash)
_avocet() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(" "))} -- "$current"))
    return
  fi
  case "$command $previous" in
${[...choices, ...(files.length > 0 ? [`    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;`] : [])].join("\n")}
  esac
  if [ -z "$words" ]; then
    case "$current" in -*) ;; *) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
    case "$command" in
${commands.map(({ name, options }) => `      ${name}) words=${quoted(options.map(({ long }) => long).join(" "))} ;;`).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _avocet avocet
`;
}

function zsh(commands: readonly Described[]): string {
  const spec = ({ long, text, values }: DescribedOption) => {
    const what = text.replace(/[[\]:\\]/g, (sign) => `\\${sign}`);
    const value = values === null ? "" : values.length > 0 ? `:value:(${values.join(" ")})` : ":value:_files";
    return `      ${quoted(`*${long}[${what}]${value}`)}`;
  };
  return `#compdef avocet
# eval "$(avocet completion zsh)"
_avocet() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map(({ name, text }) => `      ${quoted(`${name}:${text.replaceAll(":", "\\:")}`)}`).join("\n")}
    )
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(({ name, options }) => `    ${name}) _arguments \\\n${[...options.map(spec), "      '*:file:_files'"].join(" \\\n")} ;;`).join("\n")}
  esac
}
compdef _avocet avocet
`;
}

function fish(commands: readonly Described[]): string {
  const none = "__fish_use_subcommand";
  const lines = commands.flatMap(({ name, text, options }) => [
    `complete -c avocet -n ${none} -f -a ${quoted(name)} -d ${quoted(text)}`,
    ...options.map(({ long, text: what, values }) => {
      const takes = values === null ? "" : values.length > 0 ? ` -x -a ${quoted(values.join(" "))}` : " -r -F";
      return `complete -c avocet -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -l ${long.slice(2)}${takes} -d ${quoted(what)}`;
    }),
  ]);
  return `# avocet completion fish | source\n${lines.join("\n")}\n`;
}

function valued(commands: readonly Described[]) {
  return each(commands, ({ values }) => values !== null && values.length > 0);
}

function filed(commands: readonly Described[]) {
  return each(commands, ({ values }) => values?.length === 0);
}

function each(commands: readonly Described[], wanted: (option: DescribedOption) => boolean) {
  return commands.flatMap(({ name, options }) => options.filter(wanted).map((option) => [name, option] as const));
}
