/** Turns what ONNX Runtime says when it fails into errors with a code, a place and a way out; shared by its doors. */
import { AvocetError } from "../../base/inner.ts";
import { dtypeOfOnnx } from "../../tensor/inner.ts";
import { cannotCross } from "../crossing.ts";

const outOfMemory =
  /failed to allocate|bad_alloc|bad allocation|out of memory|allocation failed|tensor shape is too large/i;

/** The error for a session that could not be made. `source` is the file, for the message. */
export function loadFailure(cause: unknown, source: string | undefined): AvocetError {
  const said = wordsOf(cause);
  if (outOfMemory.test(said)) return noMemory(said, source, cause);
  const provider = absentProvider(said);
  if (provider !== undefined) return providerMissing(provider, "ONNX Runtime on this machine", null, cause);
  const type = /unsupported data type: (\d+)/i.exec(said);
  if (type) return cannotCross(null, dtypeOfOnnx(Number(type[1])) ?? `type ${type[1]}`);
  const at = nodeIn(said) ?? source;
  return new AvocetError("runtime/load", `expected a model that ONNX Runtime loads, it says: ${said}`, {
    ...(at === undefined ? {} : { at }),
    hint: hintFor(said),
    cause,
  });
}

/** The error for a run that failed. */
export function runFailure(cause: unknown, source: string | undefined): AvocetError {
  const said = wordsOf(cause);
  const at = nodeIn(said) ?? source;
  if (outOfMemory.test(said)) return noMemory(said, at, cause);
  return new AvocetError("runtime/run", `expected the model to run, ONNX Runtime says: ${said}`, {
    ...(at === undefined ? {} : { at }),
    cause,
  });
}

/** The error for ONNX Runtime Web when it cannot be loaded: it is an optional peer of the package. */
export function webMissing(cause: unknown): AvocetError {
  return new AvocetError("runtime/missing", "expected the package onnxruntime-web, it cannot be loaded", {
    hint: "npm install onnxruntime-web (docs/runtimes.md says what each runtime needs)",
    cause,
  });
}

/** The error for an execution provider that is not there; `known` are those that are, where that is known. */
export function providerMissing(
  provider: string,
  where: string,
  known: readonly string[] | null,
  cause?: unknown,
): AvocetError {
  const list = known === null ? "" : ` (${known.join(", ")})`;
  return new AvocetError("runtime/missing", `expected a provider of ${where}${list}, got ${provider}`, {
    hint: "docs/runtimes.md says which providers each runtime has, and what they need",
    cause,
  });
}

function noMemory(said: string, at: string | undefined, cause: unknown): AvocetError {
  return new AvocetError("runtime/out-of-memory", `expected enough memory for the run, ONNX Runtime says: ${said}`, {
    ...(at === undefined ? {} : { at }),
    hint: "use a smaller batch, or smaller inputs",
    cause,
  });
}

/** A provider that the build has and the machine has not: libraries or a device are missing. */
function absentProvider(said: string): string | undefined {
  if (/Failed to get a WebGPU adapter/.test(said)) return "webgpu";
  return /ExecutionProvider_(\w+): Failed to load shared library/.exec(said)?.[1]?.toLowerCase();
}

/** "Conv conv1", dug out of the three ways in which ONNX Runtime names a node. */
function nodeIn(said: string): string | undefined {
  const running = /running (\w+) node\. Name:'([^']*)'/.exec(said);
  if (running) return `${running[1]} ${running[2]}`.trim();
  const loading = /[Ii]n Node,? \("?([^",)]*)"?, (\w+)/.exec(said) ?? /Node \(([^)]*)\) Op \((\w+)\)/.exec(said);
  if (loading) return `${loading[2]} ${loading[1]}`.trim();
  const missing = /(?:implementation for|not implemented[^:]*:) *(\w+)\(\d+\) node with name '([^']*)'/i.exec(said);
  if (missing) return `${missing[1]} ${missing[2]}`.trim();
  // The web build leaves the names of nodes out.
  return /No Op registered for (\w+)/.exec(said)?.[1];
}

function hintFor(said: string): string {
  if (/doesn't exist|No such file/i.test(said)) return "check the path, and that external data lies next to the model";
  if (/opset|domain_version|ir_version|IR version/i.test(said)) {
    return "the runtime may be older than the model's operator sets: upgrade it, or write the model at a lower opset";
  }
  if (/protobuf parsing failed/i.test(said)) return "the file is damaged or is no ONNX model";
  return "the message names the operator; `avocet inspect` shows what the model holds";
}

/** ONNX Runtime's message on one line, without its C++ source locations and what the web build puts before it. */
function wordsOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message
    .replace(/\/\S*onnxruntime\S*\/\S+\.(?:cc|h):\d+ /g, "")
    .replace(/^.*?ERROR_CODE: \d+, ERROR_MESSAGE: /s, "")
    .replace(/\s+/g, " ")
    .trim();
}
