/** @module Sensitivities that are read from files, checked against their schema. Loads zod. */
export { mergeSensitivities, readSensitivities } from "./sensitivities.ts";
