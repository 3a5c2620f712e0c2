/** @module Sensitivities and decodings that are read from files, checked against their schema. Loads zod. */
export { parseDecoding } from "./metrics/decoding.ts";
export { mergeSensitivities, readSensitivities } from "./sensitivities.ts";
