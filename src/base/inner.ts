/** @module What everything stands on: errors, seeded random, rounding, byte reading, progress, checkpoints, the debug dial. */
export { archiveLimits } from "./archive/limits.ts";
export { expectArguments } from "./arguments.ts";
export { ByteReader } from "./bytes.ts";
export {
  type Checkpoint,
  type CheckpointArray,
  type CheckpointRecord,
  checkpointUnder,
  packRecord,
  remembered,
  unpackRecord,
} from "./checkpoint.ts";
export { debug, debugLevel, setDebug } from "./debug.ts";
export { didYouMean, nearest } from "./did-you-mean.ts";
export type { ErrorCode } from "./error-codes.ts";
export { AvocetError, type ErrorDetail, ensure, invariant } from "./errors.ts";
export { type JsonOrigin, jsonLimits, parseJson } from "./json.ts";
export { breathe, type ProgressEvent, throwIfAborted, type Work } from "./progress.ts";
export { Random } from "./random.ts";
export { isRefused, type Refused, refuse } from "./refused.ts";
export { roundHalfAway, roundHalfEven } from "./rounding.ts";
export { stopwatch } from "./stopwatch.ts";
export { type Doing, setWatcher, type Watcher, watched } from "./watch.ts";
