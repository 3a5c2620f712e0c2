/** @module Reports: what analysis found, as one self-contained HTML page and as JSON. */
export { arrivalNote, arrivalText, arrivesLittle } from "./arrival.ts";
export { type CompressionReport, renderCompression, renderSensitivities } from "./compression-page.ts";
export { html } from "./markup.ts";
export { renderReport } from "./page.ts";
export { jsonNumbers, readReport, writeReport } from "./read-report.ts";
export type {
  Environment,
  JudgedOn,
  KernelReport,
  LayerReport,
  RunReport,
  ScoreReport,
  StepLine,
  ValueReport,
  Warning,
  WeightReport,
} from "./run-report.ts";
export { lossBounds, scoreLoss } from "./score.ts";
export { type Advice, nextSteps } from "./sections/next.ts";
export type { NamedRun } from "./sections/side-by-side.ts";
export { verdictSentence } from "./sections/verdict.ts";
export { type Judged, recurrentWarnings, roundingWarnings, scoreWarnings, voidsScore, warningsOf } from "./warnings.ts";
export { renderWeights } from "./weights-page.ts";
export { bytes, change, decibels, decisions, figure, milliseconds, percent, plural, points } from "./words.ts";
