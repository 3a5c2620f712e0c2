/** The quality gates that the options of a command ask for, held against what was measured. */
import type { AgreementShares } from "../analysis/inner.ts";
import { bytes as bytesText, milliseconds, type ScoreReport } from "../report/inner.ts";
import type { Gate } from "./gate.ts";
import { amountOf, type Limit } from "./limit.ts";
import { agreementGate, dropGate } from "./score-gates.ts";
import type { Tolerance } from "./tolerance.ts";

/** What the options of a command promise. */
export interface GateOptions {
  readonly maxDrop?: Tolerance;
  readonly minAgreement?: number;
  readonly maxBytes?: Limit;
  readonly maxLatency?: Limit;
}

/** What was measured of float and result. */
export interface GatedFigures {
  readonly score: ScoreReport | null;
  readonly agreement: AgreementShares;
  readonly bytes: Pair;
  /** Milliseconds of one sample; null where they could not be measured. */
  readonly latencyMs: Pair | null;
  /** Why score and agreement mean nothing, where that is so: a gate on such figures is missed. */
  readonly worthless?: string | undefined;
}

interface Pair {
  readonly float: number;
  readonly quantized: number;
}

/** The gates that were asked for. */
export function gatesOf(options: GateOptions, figures: GatedFigures): Gate[] {
  const { maxDrop, minAgreement, maxBytes, maxLatency } = options;
  const { score, agreement, bytes, latencyMs, worthless } = figures;
  const gates: Gate[] = [];
  if (maxDrop !== undefined) gates.push(dropGate(maxDrop, score, worthless));
  if (minAgreement !== undefined) gates.push(agreementGate(minAgreement, agreement, worthless));
  if (maxBytes) gates.push(amountGate("--max-bytes", "the file has", maxBytes, bytes, bytesText));
  if (maxLatency) {
    gates.push(
      latencyMs
        ? amountGate("--max-latency", "a sample takes", maxLatency, latencyMs, milliseconds)
        : { option: "--max-latency", passed: false, text: "the latency could not be measured" },
    );
  }
  return gates;
}

function amountGate(option: string, what: string, limit: Limit, pair: Pair, shown: (amount: number) => string): Gate {
  const most = amountOf(limit, pair.float);
  return {
    option,
    passed: pair.quantized <= most,
    text: `${what} ${shown(pair.quantized)}, at most ${shown(most)} was asked for`,
  };
}
