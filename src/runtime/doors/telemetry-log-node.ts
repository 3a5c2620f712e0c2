/** ONNX Runtime's telemetry library leaves an empty log in the temporary folder for every process that opens a session. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { disk, quietly } from "../../base/inner-node.ts";

let isDone = false;

/** Removes this process's log, once, when it is there and empty. Where open files can't be removed it stays. */
export function removeTelemetryLog(): void {
  if (isDone) return;
  isDone = true;
  const path = join(tmpdir(), `mat-debug-${process.pid}.log`);
  quietly(() => {
    const found = disk.lstat(path);
    if (found?.isFile() && found.size === 0) disk.unlink(path);
  });
}
