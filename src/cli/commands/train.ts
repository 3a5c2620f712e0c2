/** `avocet train`: quantization-aware training from a float model, with labels or the float model as teacher. */
import { AvocetError } from "../../base/inner.ts";
import { alignLabels } from "../../data/inner.ts";
import { dataFingerprint, openLabels } from "../../data/inner-node.ts";
import { openModel } from "../../formats/inner-node.ts";
import type { ExitCode } from "../exit.ts";
import { sha256 } from "../inputs.ts";
import type { Io } from "../io.ts";
import { quantizedRun, type RunOptions } from "../quantized-run.ts";

export interface TrainCommandOptions extends RunOptions {
  readonly evaluateLabels?: string;
  readonly teacher?: string;
}

export async function train(
  path: string,
  { labels: labelSpec, evaluateLabels, teacher, ...rest }: TrainCommandOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  // To the run labels are those that judge; those of the training data matter here alone.
  const options: RunOptions = {
    ...rest,
    ...(evaluateLabels === undefined ? {} : { labels: evaluateLabels }),
    ...(labelSpec === undefined ? {} : { trainingLabels: labelSpec }),
    ...(teacher === undefined ? {} : { teacher }),
  };
  await quantizedRun(path, options, io, exit, async (data) => {
    if (!data) {
      throw new AvocetError("data/none", "expected data to train on, got none", { hint: "--data DATA" });
    }
    const labels = labelSpec === undefined ? undefined : alignLabels(await openLabels(labelSpec), data);
    return {
      training: {
        ...(labels === undefined ? {} : { labels }),
        ...(teacher === undefined ? {} : { teacher: await openModel(teacher) }),
      },
      identity: {
        labels: labelSpec === undefined ? "none" : await dataFingerprint(labelSpec),
        ...(teacher === undefined ? {} : { teacher: sha256(teacher) }),
      },
    };
  });
}
