/**
 * Native code of a model may end the process that runs it, or never end: that is the runtime's fault, and the command line's task
 * to survive. A mutant that did so is given to the built command, which must say so and end by itself.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../source-files.ts";
import type { Failure } from "./run.ts";

const command = join(root, "dist/cli/main.js");

/** The command that does what a target does; targets that run no model have none. */
const commands: Readonly<Record<string, (model: string, data: string, out: string) => readonly string[]>> = {
  optimizeort: (model, _data, out) => ["optimize", model, "-o", join(out, "made.onnx")],
  quantize: (model, data, out) => ["quantize", model, "--data", data, "--preset", "fast", "-o", join(out, "made")],
  gradient: (model, data, out) => ["run", model, "--data", data, "-o", join(out, "made.npz")],
};

/** What a process of the fuzzer may take, in megabytes: the command is held to it, too. */
const megabytes = "1600";

/** The error code that the command ends with; undefined where it is none about the runtime, or takes too long. */
export async function confirmed({ target, bytes, data, ending }: Failure): Promise<string | undefined> {
  const args = commands[target];
  if (!args || !existsSync(command)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "avocet-fuzz-"));
  try {
    const [model, samples, out] = [join(folder, `x.${ending}`), join(folder, "x.npz"), join(folder, "out")];
    mkdirSync(out);
    writeFileSync(model, bytes);
    writeFileSync(samples, data ?? new Uint8Array(0));
    const { code, err } = await ran(args(model, samples, out));
    const told = /^error (runtime\/[a-z-]+):/m.exec(err)?.[1];
    return code !== null && code > 0 && !/^ {4}at /m.test(err) ? told : undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ran(args: readonly string[]): Promise<{ readonly code: number | null; readonly err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [command, ...args],
      { timeout: 200_000, env: { ...process.env, AVOCET_MEMORY_LIMIT: megabytes } },
      (_error, _out, err) => resolve({ code: child.exitCode, err }),
    );
  });
}
