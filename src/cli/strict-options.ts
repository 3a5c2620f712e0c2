/** What every command checks of its options before it runs: nothing is missing, nothing is empty, and a bad value names its option. */
import type { Command, Option } from "commander";
import { AvocetError } from "../base/inner.ts";
import { refuseIdle } from "./idle-options.ts";

/**
 * Makes a command strict. Options that must be there are asked for after those that nobody knows: `--dta x.npy` without `-o`
 * is reported as a misspelt option. Throws `usage/missing`, `usage/bad-value` when the command runs.
 */
export function strict(command: Command): void {
  const needed = command.options.filter((option) => option.mandatory);
  for (const option of command.options) {
    option.mandatory = false;
    nameInFaults(option);
  }
  command.hook("preAction", () => {
    for (const option of command.options) expectText(command.getOptionValue(option.attributeName()), option.flags);
    command.registeredArguments.forEach((argument, i) => {
      expectText(command.processedArgs[i], argument.name());
    });
    refuseIdle(command);
    const missing = needed.find((option) => command.getOptionValue(option.attributeName()) === undefined);
    if (missing) {
      throw new AvocetError("usage/missing", `expected ${missing.flags}, got none`, {
        at: `avocet ${command.name()}`,
        hint: missing.description,
      });
    }
  });
}

function expectText(given: unknown, at: string): void {
  if ([given].flat().every((one) => one !== "")) return;
  throw new AvocetError("usage/bad-value", "expected a name or a value, got an empty text", {
    at,
    hint: "in a script, the variable may not be set",
  });
}

/** Adds the option to what its reader says of a bad value. */
function nameInFaults(option: Option): void {
  const read = option.parseArg;
  if (!read) return;
  option.parseArg = <T>(value: string, previous: T): T => {
    try {
      return read(value, previous);
    } catch (error) {
      if (!AvocetError.is(error) || error.detail.at !== undefined) throw error;
      throw new AvocetError(error.code, error.message, { hint: option.description, ...error.detail, at: option.flags });
    }
  };
}
