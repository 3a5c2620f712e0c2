/** Quality gates: the result is written all the same, the exit code says that a promise was not kept. */
import { AvocetError } from "../base/index.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";
import type { Io } from "./io.ts";

export interface Gate {
  readonly option: string;
  readonly passed: boolean;
  /** "agreement 0.91, at least 0.95 was asked for". */
  readonly text: string;
}

/** The score may fall by at most `limit` (a fraction). */
export function dropGate(limit: number, float: number, quantized: number): Gate {
  const drop = float - quantized;
  return {
    option: "--max-drop",
    passed: drop <= limit,
    text: `the score fell by ${drop.toFixed(4)}, at most ${limit} was asked for`,
  };
}

/** Agreement with float must reach `limit`. */
export function agreementGate(limit: number, agreement: number | null): Gate {
  return {
    option: "--min-agreement",
    passed: agreement !== null && agreement >= limit,
    text:
      agreement === null
        ? "the model has no classes to agree on"
        : `agreement ${agreement.toFixed(4)}, at least ${limit} was asked for`,
  };
}

/** Tells of the gates that were missed; 3 if there is one. */
export function judgeGates(gates: readonly Gate[], io: Io): ExitCode {
  const missed = gates
    .filter((gate) => !gate.passed)
    .map(({ option, text }) => new AvocetError("gate/missed", text, { at: option }));
  for (const error of missed) io.err(`error ${error.code}: ${error.describe()}\n`);
  return missed[0] ? exitCodeOf(missed[0]) : 0;
}
