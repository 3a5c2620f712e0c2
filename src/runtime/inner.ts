/** @module What executes a model: the Runtime interface, its doors, shape tracing, taps and the cursor. */

export { batchFor, batchForBytes, firstSample, fixedBatch } from "./batch-size.ts";
export { checkFeeds, crosses } from "./crossing.ts";
export type { Spill } from "./cursor/activations.ts";
export { type Cursor, type CursorOptions, openCursor, type Pair } from "./cursor/cursor.ts";
export { Walk, type WalkedBatch } from "./cursor/walk.ts";
export { openRuntime } from "./doors/open-runtime.ts";
export { feedsFor, joinSamples, takeSamples } from "./feeds.ts";
export { fixedBatchOf, type InputChoice, inputPorts } from "./input-ports.ts";
export { openModel } from "./open-model.ts";
export { pacer } from "./pace.ts";
export { alongAxis, overall, type Reduction, type Statistic } from "./reductions.ts";
export {
  type PortInfo,
  type Runtime,
  type RuntimeName,
  type RuntimeOptions,
  type Session,
  type SessionOptions,
  simulation,
  simulationOf,
} from "./runtime.ts";
export { joinRuns, type RunOutputs } from "./sample-outputs.ts";
export { leastStridedOpset, type Stride, StridedSamples, strideOf } from "./strided.ts";
export { openTaps, type StreamOptions, type Tapped, type TapSpec, type Taps } from "./taps.ts";
export { batchable, type FreedBatch, withDynamicBatch } from "./trace/dynamic-batch.ts";
export { declaredTypes, traceShapes } from "./trace/trace.ts";
