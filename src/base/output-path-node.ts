/** Where an output really goes, and that nothing of the run's own inputs is there. */
import { basename, dirname, join, resolve } from "node:path";
import { disk } from "./disk-node.ts";
import { AvocetError } from "./errors.ts";
import { quietly, writable } from "./not-writable-node.ts";
import { isSame } from "./whole-file-node.ts";

/**
 * The place that a path means: absolute, links followed. Throws `usage/bad-value` for no path, and `output/not-writable` for
 * a link that leads nowhere, which a new file would replace.
 */
export function outputPlace(path: string): string {
  if (path === "") throw new AvocetError("usage/bad-value", "expected a path for the output, got an empty one");
  const target = resolve(path);
  if (writable(path, () => disk.lstat(target))?.isSymbolicLink()) {
    if (writable(path, () => disk.stat(target)) === null) {
      throw new AvocetError(
        "output/not-writable",
        "expected a place that can be written, got a link that leads nowhere",
        {
          at: path,
          hint: "remove the link, or choose another output",
        },
      );
    }
    return writable(path, () => disk.realpath(target));
  }
  // Two names of one folder are one place.
  const parent = quietly(() => disk.realpath(dirname(target)));
  return parent === undefined ? target : join(parent, basename(target));
}

/**
 * Throws `output/is-input` when an output is one of the inputs, by whatever name, holds one of them, or lies in an input that
 * is a folder. Inputs that do not exist do not count.
 */
export function expectApart(output: string, inputs: readonly string[]): void {
  const place = outputPlace(output);
  const found = writable(output, () => disk.stat(place));
  const above = withParents(dirname(place));
  for (const input of inputs) {
    const real = quietly(() => disk.realpath(input));
    if (real === undefined) continue;
    const itself = writable(output, () => disk.stat(real));
    if (found && withParents(real).some((path) => isSame(quietly(() => disk.stat(path)) ?? null, found))) {
      throw overlap(output, input, isSame(itself, found) ? "is" : "holds");
    }
    if (itself?.isDirectory() && above.some((path) => isSame(quietly(() => disk.stat(path)) ?? null, itself))) {
      throw overlap(output, input, "lies in");
    }
  }
}

/** A path and all folders above it. */
function withParents(path: string): string[] {
  const paths = [path];
  for (let folder = path; dirname(folder) !== folder; folder = dirname(folder)) paths.push(dirname(folder));
  return paths;
}

function overlap(output: string, input: string, how: "is" | "holds" | "lies in"): AvocetError {
  return new AvocetError("output/is-input", `expected an output apart from what is read, it ${how} ${input}`, {
    at: output,
    hint: "choose another place for the output; inputs are never changed, with --force neither",
  });
}
