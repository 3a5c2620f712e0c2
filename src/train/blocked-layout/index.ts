/** @module Training graphs in ONNX Runtime's blocked layout. */
export { blockLayout } from "./blocked-layout.ts";
export { probeBlock } from "./probe.ts";
