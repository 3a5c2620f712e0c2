/** @module What of running models needs a process of its own (Node only): tracing models from strangers. */
export { type TraceLimits, traceInChild } from "./trace-in-child-node.ts";
