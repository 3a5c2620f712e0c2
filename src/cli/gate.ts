/** Quality gates: the result is written all the same, the exit code says that a promise was not kept. */
import { AvocetError } from "../base/inner.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";
import type { Io } from "./io.ts";

export interface Gate {
  readonly option: string;
  readonly passed: boolean;
  /** "agreement 0.91, at least 0.95 was asked for". */
  readonly text: string;
}

/** Reports the gates that were missed; 3 if there is one. */
export function judgeGates(gates: readonly Gate[], io: Io): ExitCode {
  const missed = gates
    .filter((gate) => !gate.passed)
    .map(({ option, text }) => new AvocetError("gate/missed", text, { at: option }));
  for (const error of missed) io.err(`error ${error.code}: ${error.describe()}\n`);
  return missed[0] ? exitCodeOf(missed[0]) : 0;
}
