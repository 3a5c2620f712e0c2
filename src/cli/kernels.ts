/** Which layers of a plan the runtime runs as integer kernels: read off the graph that it wrote after optimising. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelFile } from "../formats/index-node.ts";
import { type KernelFinding, kernelReport, type Plan } from "../quant/index.ts";
import { openRuntime, type Runtime } from "../runtime/index.ts";

/**
 * Opens the shipped file once, lets the runtime write its optimised graph, and reads it. WebAssembly cannot write files;
 * ort-node then stands in, whose rewriting of Q/DQ is the same code (it is compiled from the same sources).
 */
export async function kernelsOf(path: string, plan: Plan, runtime: Runtime): Promise<readonly KernelFinding[]> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-kernels-"));
  const writer = runtime.name === "ort-web" ? await openRuntime("ort-node") : runtime;
  try {
    const optimized = join(folder, "optimized.onnx");
    await using _session = await writer.open(path, { optimizedModelPath: optimized });
    return kernelReport(readModelFile(path), readModelFile(optimized), plan);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
