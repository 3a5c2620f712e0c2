/** @module What of running models needs Node: tracing models from strangers in a child process, finding browsers. */
export { findBrowsers } from "./doors/browser-node.ts";
export { type TraceLimits, traceInChild } from "./trace/trace-in-child-node.ts";
