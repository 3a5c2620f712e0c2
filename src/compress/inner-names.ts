/** @module The names of schemes alone, for schemas: compression itself is loaded when it is asked for. */
export { compressionSchemes } from "./scheme-names.ts";
