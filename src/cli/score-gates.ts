/** The gates on scores and agreement: what `--max-drop` and `--min-agreement` promise. */
import type { AgreementShares } from "../analysis/inner.ts";
import { change, type ScoreReport, scoreLoss } from "../report/inner.ts";
import type { Gate } from "./gate.ts";
import { limitOf, type Tolerance } from "./tolerance.ts";

/**
 * The score may fall, or where less is better rise, by so much at most. `worthless` says why the score means nothing, where that is so.
 */
export function dropGate(given: Tolerance, score: ScoreReport | null, worthless?: string): Gate {
  const option = "--max-drop";
  if (!score) return { option, passed: false, text: "the score could not be judged" };
  const drop = scoreLoss(score);
  if (worthless !== undefined) return { option, passed: false, text: worthless };
  const limit = limitOf(given, score);
  // Fractions of samples: what is equal in decimals must not fail by a rounding of binary ones.
  const passed = drop <= limit + 1e-9;
  const moved = score.better === "higher" ? "fell" : "rose";
  const text =
    score.unit === "%"
      ? `${drop.toFixed(4)}, at most ${limit}`
      : `${change(drop, score)}, at most ${change(limit, score)}`;
  return { option, passed, text: `the score ${moved} by ${text} was asked for` };
}

/** Agreement with float must reach `limit`. */
export function agreementGate(limit: number, agreement: AgreementShares, worthless?: string): Gate {
  const { float, why } = agreement;
  const option = "--min-agreement";
  if (worthless !== undefined) return { option, passed: false, text: worthless };
  if (float === null) {
    return {
      option,
      passed: false,
      text: `there are no decisions to agree on: ${why.join("; ") || "none was judged"}`,
    };
  }
  return { option, passed: float >= limit, text: `agreement ${float.toFixed(4)}, at least ${limit} was asked for` };
}
