/** Turns what ONNX Runtime says when it fails into errors with a code, a place and a way out; shared by its doors. */
import { AvocetError } from "../base/index.ts";
import { dtypeOfOnnx } from "../tensor/index.ts";
import { cannotCross } from "./crossing.ts";

const outOfMemory = /failed to allocate|bad_alloc|bad allocation|out of memory|allocation failed/i;

/** The error for a session that could not be made. `source` is the file, for the message. */
export function loadFailure(cause: unknown, source: string | undefined): AvocetError {
  const said = wordsOf(cause);
  if (outOfMemory.test(said)) return noMemory(said, source, cause);
  const type = /Unsupported data type: (\d+)/.exec(said);
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

function noMemory(said: string, at: string | undefined, cause: unknown): AvocetError {
  return new AvocetError("runtime/out-of-memory", `expected enough memory for the run, ONNX Runtime says: ${said}`, {
    ...(at === undefined ? {} : { at }),
    hint: "use a smaller batch, or smaller inputs",
    cause,
  });
}

/** "Conv conv1", dug out of the three ways in which ONNX Runtime names a node. */
function nodeIn(said: string): string | undefined {
  const running = /running (\w+) node\. Name:'([^']*)'/.exec(said);
  if (running) return `${running[1]} ${running[2]}`.trim();
  const loading = /[Ii]n Node,? \("?([^",)]*)"?, (\w+)/.exec(said) ?? /Node \(([^)]*)\) Op \((\w+)\)/.exec(said);
  if (loading) return `${loading[2]} ${loading[1]}`.trim();
  const missing = /(?:implementation for|not implemented[^:]*:) *(\w+)\(\d+\) node with name '([^']*)'/i.exec(said);
  return missing ? `${missing[1]} ${missing[2]}`.trim() : undefined;
}

function hintFor(said: string): string {
  if (/doesn't exist|No such file/i.test(said)) return "check the path, and that external data lies beside the model";
  if (/opset|domain_version|ir_version|IR version/i.test(said)) {
    return "the runtime may be older than the model's operator sets: upgrade it, or write the model at a lower opset";
  }
  if (/protobuf parsing failed/i.test(said)) return "the file is damaged or is no ONNX model";
  return "the message names the operator; `avocet inspect` shows what the model holds";
}

/** ONNX Runtime's message without its C++ source locations, on one line. */
function wordsOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message
    .replace(/\/\S*onnxruntime_src\/\S+:\d+ /g, "")
    .replace(/\s+/g, " ")
    .trim();
}
