/** `avocet quantize`: post-training quantization. */
import { quantizeModel } from "../../recipe/index.ts";
import type { ExitCode } from "../exit.ts";
import type { Io } from "../io.ts";
import { quantizedRun, type RunOptions } from "../quantized-run.ts";

export async function quantize(
  path: string,
  options: RunOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  await quantizedRun(path, options, io, exit, async ({ model, data, recipe }) => ({
    identity: {},
    make: (runtime, work) => quantizeModel(model, data, recipe, runtime, work),
  }));
}
