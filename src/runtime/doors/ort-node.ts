/** The door to ONNX Runtime in Node: the only file that loads `onnxruntime-node`, and only when it is asked for. */
import { AvocetError } from "../../base/inner.ts";
import { readModel } from "../../formats/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Runtime, RuntimeOptions, Session, SessionOptions } from "../runtime.ts";
import { constantsFirst } from "./constants-first.ts";
import { providerMissing } from "./ort-failure.ts";
import { type Ort, type OrtSettings, openSession, quieten, sessionSettings } from "./ort-session.ts";
import { modelOfOtherFormat } from "./other-format-node.ts";
import { largeModel, packModel } from "./pack-model-node.ts";
import { removeTelemetryLog } from "./telemetry-log-node.ts";

type OrtNode = typeof import("onnxruntime-node");

/** ONNX Runtime in Node. Throws `runtime/missing` when the package or its native library is not there. */
export async function ortNode(defaults: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await load();
  return {
    name: "ort-node",
    version: ort.env.versions.node ?? ort.env.versions.common,
    providers: ort.listSupportedBackends().flatMap(({ name, bundled }) => (bundled ? [name] : [])),
    open: async (model, options = {}) => {
      const asked = { ...defaults, ...options };
      expectProviders(ort, asked.providers ?? []);
      try {
        return await open(ort, model, asked);
      } finally {
        removeTelemetryLog();
      }
    },
  };
}

async function load(): Promise<OrtNode> {
  let ort: OrtNode;
  try {
    ort = await import("onnxruntime-node");
  } catch (cause) {
    throw new AvocetError("runtime/missing", "expected the package onnxruntime-node with its native library", {
      hint: "npm install onnxruntime-node (it has binaries for Linux, macOS and Windows on x64 and arm64)",
      cause,
    });
  }
  quieten(ort);
  return ort;
}

/** ONNX Runtime would leave out, with no more than a warning, what its build does not have. */
function expectProviders(ort: OrtNode, providers: readonly string[]): void {
  const known = ort.listSupportedBackends().map(({ name }) => name);
  const absent = providers.find((name) => !known.includes(name));
  if (absent !== undefined) throw providerMissing(absent, "this build of ort-node", known);
}

async function open(ort: Ort, model: Model | string | Uint8Array, options: SessionOptions): Promise<Session> {
  const read = frugally(options, typeof model === "string" ? ((await modelOfOtherFormat(model)) ?? model) : model);
  if (typeof read === "string") return openSession(ort, read, settings(options), read);
  if (read instanceof Uint8Array) return openSession(ort, read, settings(options), undefined);
  const packed = await packModel(read);
  try {
    return await openSession(ort, packed.file, settings(options), read.source);
  } finally {
    await packed.remove();
  }
}

/** The model, where it is one that should not cross as the file that it is. */
function frugally({ frugal = false }: SessionOptions, model: Model | string | Uint8Array): Model | string | Uint8Array {
  if (!frugal) return typeof model === "string" ? (largeModel(model) ?? model) : model;
  const read =
    typeof model === "string" ? largeModel(model, 0) : model instanceof Uint8Array ? readModel(model) : model;
  return read ? constantsFirst(read) : model;
}

function settings(options: SessionOptions): OrtSettings {
  const { threads, optimizedModelPath, profilePath, providers, frugal = false } = options;
  return {
    ...sessionSettings(options, providers),
    ...(threads === undefined ? {} : { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    ...(frugal ? { enableCpuMemArena: false, enableMemPattern: false } : {}),
    ...(optimizedModelPath === undefined ? {} : { optimizedModelFilePath: optimizedModelPath }),
    ...(profilePath === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePath }),
  };
}
