/** `avocet quantize`: post-training quantization. */
import type { ExitCode } from "../exit.ts";
import type { Io } from "../io.ts";
import { quantizedRun, type RunOptions } from "../quantized-run.ts";

export async function quantize(
  path: string,
  options: RunOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  await quantizedRun(path, options, io, exit, async () => ({ identity: {} }));
}
