/**
 * Loaded first into a process and its children (`NODE_OPTIONS=--import=…`): each appends the seconds of processor time that it took to the file
 * that COMPRESSION_CPU names, a line each.
 */
import { appendFileSync } from "node:fs";

process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  appendFileSync(process.env.COMPRESSION_CPU, `${(user + system) / 1e6}\n`);
});
