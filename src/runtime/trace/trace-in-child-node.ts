/**
 * Tracing of models from strangers: in a child process with limits, because an endless Loop or a huge allocation inside
 * native code can neither be interrupted nor survived in the process that must live.
 */
import { fork } from "node:child_process";
import { AvocetError, type ErrorCode, type Work } from "../../base/inner.ts";
import type { Model, TensorType } from "../../ir/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";
import { packModel } from "../doors/pack-model-node.ts";
import type { TraceReply, TraceRequest } from "./trace-child-node.ts";

export interface TraceLimits extends Work {
  /** Milliseconds for everything, start of the process included. Default 60,000. */
  readonly milliseconds?: number;
  /** Resident memory of the child in bytes. Default 4 GiB. */
  readonly bytes?: number;
  /** The child's script, for a bundle that has it elsewhere. Default: next to this file. */
  readonly script?: URL;
}

/**
 * What `traceShapes` returns, found by a child process. Throws what `traceShapes` throws there; `runtime/run` when the
 * time is up or the model crashes the child, `runtime/out-of-memory` when it takes too much memory, `abort/interrupted`.
 */
export async function traceInChild(
  model: Model | string,
  feeds: Feeds,
  limits: TraceLimits = {},
): Promise<Map<string, TensorType>> {
  const packed = typeof model === "string" ? null : await packModel(model, -1);
  try {
    const path = packed ? (packed.file as string) : (model as string);
    return await ask(path, feeds, limits);
  } finally {
    await packed?.remove();
  }
}

function ask(path: string, feeds: Feeds, limits: TraceLimits): Promise<Map<string, TensorType>> {
  const { milliseconds = 60_000, bytes = 4 * 2 ** 30, signal } = limits;
  const script = limits.script ?? new URL(import.meta.url.replace("trace-in-child-node", "trace-child-node"));
  const child = fork(script, { serialization: "advanced", stdio: ["ignore", "ignore", "ignore", "ipc"], execArgv: [] });
  return new Promise((resolve, reject) => {
    let ending: AvocetError | undefined;
    const end = (error: AvocetError) => {
      ending ??= error;
      child.kill("SIGKILL");
    };
    const late = () => end(failure("runtime/run", `expected the trace to end within ${milliseconds} ms`, path));
    const interrupted = () => end(failure("abort/interrupted", "interrupted", path));
    const clock = setTimeout(late, milliseconds);
    signal?.addEventListener("abort", interrupted);
    if (signal?.aborted) interrupted();
    let reply: TraceReply | undefined;
    child.once("message", (message) => {
      reply = message as TraceReply;
    });
    child.once("error", (cause) => {
      ending ??= new AvocetError("runtime/run", "expected a child process to start", { at: path, cause });
    });
    child.once("close", (code, killed) => {
      clearTimeout(clock);
      signal?.removeEventListener("abort", interrupted);
      if (ending) reject(ending);
      else if (!reply) reject(endOf(code, killed, bytes, path));
      else if ("types" in reply) resolve(new Map(reply.types));
      else reject(revived(reply.error));
    });
    const tensors = Object.entries(feeds).map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, data }));
    child.send({ path, feeds: tensors, bytes } satisfies TraceRequest, (error) => {
      if (error) end(failure("runtime/run", `expected the child to take the request: ${error.message}`, path));
    });
  });
}

/** Only the watching thread and a system without memory send SIGKILL; other signals are crashes of native code. */
function endOf(code: number | null, killed: NodeJS.Signals | null, bytes: number, path: string): AvocetError {
  if (killed === "SIGKILL") {
    return failure("runtime/out-of-memory", `expected a trace within ${bytes} bytes of memory, it took more`, path);
  }
  return failure(
    "runtime/run",
    `expected the trace to end, the model crashed the runtime (${killed ?? `exit ${code}`})`,
    path,
  );
}

function failure(code: ErrorCode, problem: string, path: string): AvocetError {
  const hint = code === "abort/interrupted" ? {} : { hint: "the model may be hostile, or too large for these limits" };
  return new AvocetError(code, problem, { at: path, ...hint });
}

function revived({ code, message, at, hint }: Extract<TraceReply, { error: unknown }>["error"]): Error {
  if (code === null) return new Error(message);
  return new AvocetError(code as ErrorCode, message, {
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
  });
}
