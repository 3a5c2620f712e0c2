/** The checkpoint of one command: whose it is, and what is printed about it. */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { disk, quietly } from "../base/inner-node.ts";
import { dataFingerprint } from "../data/inner-node.ts";
import type { Recipe } from "../recipe/inner.ts";
import { type CheckpointFolder, openCheckpointFolder } from "../recipe/inner-node.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { Io } from "./io.ts";
import { version } from "./version.ts";

export interface CheckpointOptions {
  readonly output: string;
  readonly resume?: boolean;
  readonly threads?: number;
}

/** A checkpoint that says, when it is disposed of before `remove`, that something is kept. */
export type RunCheckpoint = CheckpointFolder & Disposable;

/** Opens the checkpoint of the run that makes `output`. `more` is what else it depends on. Throws `resume/other-run`. */
export async function openRunCheckpoint(
  { output, resume = false, threads }: CheckpointOptions,
  recipe: Recipe,
  runtime: Runtime,
  io: Io,
  more: Readonly<Record<string, string>>,
): Promise<RunCheckpoint> {
  const { model, data, ...choices } = recipe;
  const identity = {
    model: model ? `${model.sha256} ${externalData(model.path)}`.trim() : "",
    data: data === undefined ? "none" : await dataFingerprint(data),
    recipe: createHash("sha256").update(JSON.stringify(choices)).digest("hex"),
    // Other kernels and other numbers of threads may add in another order.
    runtime: `${runtime.name} ${runtime.version}, ${threads ?? "all"} threads`,
    version,
    ...more,
  };
  const folder = openCheckpointFolder(output, { identity, resume });
  if (folder.found === "resumed") io.err(`going on with the interrupted run of ${output}\n`);
  else if (resume) io.err(`no interrupted run of ${output} is there: beginning again\n`);
  else if (folder.found === "replaced") {
    io.err(`an interrupted run of ${output} is there and will be replaced: --resume would go on with it\n`);
  }
  let done = false;
  return {
    found: folder.found,
    get kept() {
      return folder.kept;
    },
    load: (key) => folder.load(key),
    save: (key, bytes) => folder.save(key, bytes),
    remove() {
      done = true;
      folder.remove();
    },
    [Symbol.dispose]() {
      if (!done && folder.kept) io.err(`what is finished is kept: the same command with --resume goes on from there\n`);
    },
  };
}

/** Names, sizes and times of the files in which exporters keep the weights of large models: MODEL.onnx.data, MODEL.onnx_data. */
function externalData(path: string): string {
  const [folder, name] = [dirname(path), basename(path)];
  return (quietly(() => disk.list(folder)) ?? [])
    .filter((other) => other !== name && other.startsWith(name))
    .flatMap((other) => {
      const found = quietly(() => disk.stat(join(folder, other)));
      return found?.isFile() ? [`${other} ${found.size} ${found.mtimeMs}`] : [];
    })
    .sort()
    .join(" ");
}
