/** @module What schemas of compression need: names alone. Compression itself is loaded when it is asked for. */
export { compressionSchemes } from "./scheme-names.ts";
