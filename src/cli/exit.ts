/** Exit codes, as documented: 0 done, 1 failed, 2 usage, 3 gate, 4 unsupported, 5 environment, 130 interrupted. */
import { AvocetError, type ErrorCode } from "../base/inner.ts";

export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130;

/** The exit code an error stands for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!AvocetError.is(error)) return 1;
  const { code } = error;
  if (code === "abort/interrupted") return 130;
  if (code === "gate/missed") return 3;
  if (unsupported.has(code)) return 4;
  if (code === "runtime/missing" || code === "runtime/out-of-memory") return 5;
  if (/^(usage|recipe|target)\//.test(code) || configuration.has(code)) return 2;
  return 1;
}

const unsupported: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "import/unknown-format",
  "import/unsupported-opset",
  "import/unsupported-type",
  "import/unsupported-operator",
  "quant/already-quantized",
  "quant/unsupported-model",
  "quant/nothing-to-quantize",
  "compress/nothing-to-compress",
  "pass/unsupported",
  "autodiff/no-gradient",
  "runtime/unsupported-type",
]);

const configuration: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "output/exists",
  "output/is-input",
  "output/not-ours",
  "resume/other-run",
  "quant/unknown-grid",
  "quant/unsupported-grid",
  "quant/unsupported-granularity",
  "quant/no-such-value",
  "quant/invalid-plan",
  "compress/unreachable",
  "compress/no-such-layer",
]);
