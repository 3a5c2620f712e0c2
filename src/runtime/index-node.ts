/** @module What of running models needs Node: tracing models from strangers in a child process, finding browsers. */
export { findBrowsers } from "./browser-node.ts";
export { type TraceLimits, traceInChild } from "./trace-in-child-node.ts";
