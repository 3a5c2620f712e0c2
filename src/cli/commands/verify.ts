/** `avocet verify`: the written file on the runtime that will run it, against its simulation and against float. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { verify as check, type Verification } from "../../analysis/index.ts";
import { type KernelFinding, planFromJson } from "../../quant/index.ts";
import { openRuntime, type RuntimeName } from "../../runtime/index.ts";
import type { ExitCode } from "../exit.ts";
import { agreementGate, judgeGates } from "../gates.ts";
import {
  type DataOptions,
  fileBytes,
  inputsOf,
  openFloatModel,
  openModel,
  openSamples,
  preprocessOf,
} from "../inputs.ts";
import type { Io } from "../io.ts";
import { kernelsOf } from "../kernels.ts";
import { progressView } from "../progress.ts";

export interface VerifyOptions extends DataOptions {
  readonly floatModel?: string;
  readonly minAgreement?: number;
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function verify(
  dir: string,
  options: VerifyOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  const shipped = openModel(dir);
  const float = await openFloatModel(shipped, options.floatModel);
  const data = await openSamples(
    float.model,
    options.data ?? shipped.recipe?.data,
    preprocessOf(options, shipped.recipe),
    options.samples ?? 500,
    inputsOf(options, shipped.recipe),
    { ...options, signal: io.signal },
  );
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  const result = await check(
    { model: shipped.model, path: shipped.path, bytes: fileBytes(shipped.path) },
    { model: float.model, path: float.path, bytes: fileBytes(float.path) },
    runtime,
    data,
    {
      signal: io.signal,
      onProgress: progress.show,
      ...(options.batch ? { batch: options.batch } : {}),
      ...(options.threads ? { threads: options.threads } : {}),
    },
  );
  const planPath = join(dir, "plan.json");
  const kernels = await kernelsOf(shipped.path, planFromJson(readFileSync(planPath, "utf8"), planPath), runtime);
  progress.end();
  const integerKernels = kernels.filter((k) => k.integer).length;
  const floatKernels = kernels.filter((k) => !k.integer).map(({ node, reason }) => ({ node, reason }));
  if (options.json) io.out(`${JSON.stringify({ ...result, integerKernels, floatKernels })}\n`);
  else io.out(text(result, kernels));
  exit(
    options.minAgreement === undefined
      ? 0
      : judgeGates([agreementGate(options.minAgreement, result.agreement.float)], io),
  );
}

function text(v: Verification, kernels: readonly KernelFinding[]): string {
  const share = (x: number | null) => (x === null ? "no classes to agree on" : `${(100 * x).toFixed(2)} %`);
  const float = kernels.filter((k) => !k.integer);
  const lines = [
    `${v.runtime} ${v.runtimeVersion}, ${v.samples} samples`,
    `the stock session decides like the simulation: ${share(v.agreement.simulation)}, like float: ${share(v.agreement.float)}`,
    `latency  float ${v.latencyMs.float.toFixed(2)} ms, quantized ${v.latencyMs.quantized.toFixed(2)} ms`,
    `size     float ${v.bytes.float} bytes, quantized ${v.bytes.quantized} bytes`,
    `kernels  ${kernels.length - float.length} integer, ${float.length} float`,
    ...(v.ties ? [`ties     ${(100 * v.ties).toFixed(2)} % of the decisions fall between equal scores`] : []),
    ...float.map((k) => `  float: ${k.node}: ${k.reason}`),
    ...v.differences
      .slice(0, 20)
      .map(
        (d) =>
          `  differs: ${d.layer}: ${(100 * d.differing).toFixed(3)} % of its integers, at most ${d.maxSteps} steps`,
      ),
  ];
  return `${lines.join("\n")}\n`;
}
