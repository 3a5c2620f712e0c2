/** @module Quantization in its parts: place, calibrate, lower; targets; encodings of other tools. `quantize` composes them. */
export {
  applyEncodings,
  builtinTarget,
  calibrate,
  type Encoding,
  type Lowered,
  lower,
  place,
  type Statistics,
  type Target,
  writeEncodings,
} from "./inner.ts";
export { parseTarget, readEncodings, readStatistics } from "./inner-files.ts";
