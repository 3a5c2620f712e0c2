/** @module For programs with data of their own: samples by number, sequences with states, tokens, audio, arrays, preprocessing. */
export {
  cached,
  type IndexedDataset,
  type InputPort,
  indexedDataset,
  type Preprocess,
  type PreprocessInput,
  recordStates,
  withStates,
} from "./inner.ts";
export {
  openWav,
  parsePreprocess,
  readNpy,
  readNpz,
  tokenDataset,
  wavWindows,
  writeNpy,
  writeNpz,
} from "./inner-files.ts";
