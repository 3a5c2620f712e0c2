/** One line per run: what of a plan, a shipped file and an encodings file must not change unnoticed, as hashes. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { writeModel } from "../../src/formats/inner.ts";
import { writeEncodings } from "../../src/quant/inner.ts";
import { planToJson } from "../../src/quant/inner-files.ts";
import { parseRecipe, type Quantized, quantizeModel } from "../../src/recipe/inner.ts";
import { openRuntime } from "../../src/runtime/inner.ts";
import type { Replayed } from "./models.ts";

export interface Setting {
  readonly target: string;
  readonly preset: "fast" | "standard" | "best" | "data-free";
  readonly weights?: string;
}

/** Quantizes as the setting says, and hashes what came out. An error is a line, too: its code. */
export async function replay(model: Replayed, { target, preset, weights }: Setting): Promise<string> {
  const name = [model.name, target, preset, weights].filter((part) => part !== undefined).join(" · ");
  const float = model.model();
  const recipe = parseRecipe({ ...model.recipe, target, preset, ...(weights ? { weights } : {}) });
  const runtime = await openRuntime("ort-node", { threads: 1 });
  try {
    return `${name}: ${hashesOf(await quantizeModel(float, await model.data(float), recipe, runtime, { threads: 1 }))}`;
  } catch (error) {
    return `${name}: ${(error as { code?: string }).code ?? String(error)}`;
  }
}

function hashesOf({ plan, decided, shipped }: Quantized): string {
  const parts = { plan: planToJson(plan), shipped: writeModel(shipped), encodings: writeEncodings(plan, decided, {}) };
  return Object.entries(parts)
    .map(([part, content]) => `${part} ${createHash("sha256").update(content).digest("hex").slice(0, 12)}`)
    .join(", ");
}

/** The same bytes are promised on one kind of CPU and one version of ONNX Runtime only. */
export async function machine(): Promise<string> {
  const { version } = await openRuntime();
  return `${process.platform}-${process.arch}, ${cpus()[0]?.model}, ${vectorUnits()}, ONNX Runtime ${version}`;
}

function vectorUnits(): string {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.trim().split(/\s+/) ?? [];
    return flags.filter((flag) => /^(fma|avx|amx)/.test(flag)).sort().join(" "); // biome-ignore format: one chain
  } catch {
    return "unknown instructions";
  }
}
