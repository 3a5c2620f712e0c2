/** Loaded first into a process (`node --import`): writes the seconds of processor time that it took into the file that COMPRESSION_CPU names. */
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  writeFileSync(process.env.COMPRESSION_CPU, String((user + system) / 1e6));
});
