/** @module Quantization in its parts: place, calibrate, lower; targets; encodings of other tools. `quantize` composes them. */
export {
  applyEncodings,
  builtinTarget,
  calibrate,
  type Encoding,
  type Lowered,
  lower,
  parseTarget,
  place,
  readEncodings,
  type Target,
  writeEncodings,
} from "./inner.ts";
