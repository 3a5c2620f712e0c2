/** @module Reports: what analysis found, as one self-contained HTML page and as JSON. */
export { renderReport } from "./page.ts";
export type { KernelReport, RunReport, StepLine, ValueReport, WeightReport } from "./run-report.ts";
export { nextSteps } from "./sections/next.ts";
export type { NamedRun } from "./sections/side-by-side.ts";
export { verdictSentence } from "./sections/verdict.ts";
export { bytes, milliseconds, percent } from "./words.ts";
