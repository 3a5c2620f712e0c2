/** `avocet diff`: what differs between two model files. Nothing is run; `compare` is for outputs on data. */
import { openModel } from "../../formats/inner-node.ts";
import { diffModels } from "../../ir/inner.ts";
import type { ExitCode } from "../exit.ts";
import { judgeGates } from "../gate.ts";
import type { Io } from "../io.ts";

export interface DiffOptions {
  readonly expectEqual?: boolean;
  readonly json?: boolean;
}

export async function diff(
  path: string,
  otherPath: string,
  options: DiffOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  const differences = diffModels(await openModel(path), await openModel(otherPath));
  const equal = differences.length === 0;
  if (options.json) io.out(`${JSON.stringify({ equal, differences })}\n`);
  else if (equal) io.out("no difference\n");
  else {
    const sign = { added: "+", removed: "-", changed: "~" };
    for (const { kind, name, change, detail } of differences)
      io.out(`${sign[change]} ${kind} ${name}${detail ? `: ${detail}` : ""}\n`);
  }
  if (!options.expectEqual) return;
  exit(judgeGates([{ option: "--expect-equal", passed: equal, text: `${differences.length} differences` }], io));
}
