/** @module For programs with data of their own: samples by number, sequences with states, tokens, audio, arrays, preprocessing. */
export {
  cached,
  type IndexedDataset,
  type InputPort,
  indexedDataset,
  openWav,
  type Preprocess,
  type PreprocessInput,
  parsePreprocess,
  readNpy,
  readNpz,
  recordStates,
  tokenDataset,
  wavWindows,
  withStates,
  writeNpy,
  writeNpz,
} from "./inner.ts";
