/** The child of `traceInChild`: traces one model and says what it found. A thread next to it watches the memory. */
import { Worker } from "node:worker_threads";
import { AvocetError } from "../../base/inner.ts";
import { openModel } from "../../formats/inner-node.ts";
import type { TensorType } from "../../ir/inner.ts";
import { type DType, type Shape, Tensor, type TensorData } from "../../tensor/inner.ts";
import { openRuntime } from "../doors/open-runtime.ts";
import { traceShapes } from "./trace.ts";

/** What the parent asks for; tensors in pieces, because instances do not survive a message. */
export interface TraceRequest {
  readonly path: string;
  readonly feeds: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly data: TensorData;
  }[];
  readonly bytes: number;
}

export type TraceReply =
  | { readonly types: readonly (readonly [string, TensorType])[] }
  | {
      readonly error: {
        readonly code: string | null;
        readonly message: string;
        readonly at?: string;
        readonly hint?: string;
      };
    };

process.once("message", async (message) => {
  const request = message as TraceRequest;
  guardMemory(request.bytes);
  const reply = await trace(request);
  process.send!(reply, () => process.disconnect());
});

async function trace({ path, feeds }: TraceRequest): Promise<TraceReply> {
  try {
    const tensors = Object.fromEntries(
      feeds.map(({ name, dtype, shape, data }) => [name, Tensor.of(dtype, shape, data)]),
    );
    return { types: [...(await traceShapes(await openModel(path), await openRuntime(), tensors))] };
  } catch (error) {
    if (!AvocetError.is(error)) return { error: { code: null, message: String(error) } };
    const { at, hint } = error.detail;
    return {
      error: {
        code: error.code,
        message: error.message,
        ...(at === undefined ? {} : { at }),
        ...(hint === undefined ? {} : { hint }),
      },
    };
  }
}

/** Native code blocks this thread, so another one looks at the memory and ends the process. */
function guardMemory(bytes: number): void {
  const watch = `setInterval(() => {
    if (process.memoryUsage.rss() > ${bytes}) process.kill(process.pid, "SIGKILL");
  }, 20);`;
  new Worker(watch, { eval: true }).unref();
}
