/** Which layers of a plan the runtime runs as integer kernels: read off the graph that it wrote after optimising. */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AvocetError } from "../base/inner.ts";
import { disk, quietly, writable } from "../base/inner-node.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { type KernelFinding, kernelReport, type Plan, type Shipped } from "../quant/inner.ts";
import { openRuntime, type Runtime } from "../runtime/inner.ts";

/**
 * Opens the shipped file at `path` once, lets the runtime write its optimised graph, and reads it. WebAssembly cannot write files;
 * ort-node then stands in, whose rewriting of Q/DQ is the same code (it is compiled from the same sources).
 */
export async function kernelsOf(
  path: string,
  shipped: Shipped,
  plan: Plan,
  runtime: Runtime,
): Promise<readonly KernelFinding[]> {
  const folder = writable(tmpdir(), () => mkdtempSync(join(tmpdir(), "avocet-kernels-")));
  const writer = runtime.name === "ort-web" ? await openRuntime("ort-node") : runtime;
  try {
    const optimized = join(folder, "optimized.onnx");
    await using _session = await writer.open(path, { optimizedModelPath: optimized });
    return kernelReport(shipped, readModelFile(optimized), plan);
  } catch (error) {
    throw isFull(tmpdir(), path) ? noRoom(error) : error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a file of this size finds no room; ONNX Runtime says of a full disk only that it could not serialize. */
function isFull(folder: string, path: string): boolean {
  const room = quietly(() => statfsSync(folder));
  const needed = quietly(() => disk.stat(path)?.size) ?? 0;
  return room !== undefined && room.bavail * room.bsize < needed;
}

function noRoom(cause: unknown): AvocetError {
  return new AvocetError(
    "output/not-writable",
    "expected room for the graph that the runtime writes, the disk is full",
    {
      at: tmpdir(),
      hint: "free some space there, or set TMPDIR to another disk",
      cause,
    },
  );
}
