/** The platform of browsers and workers: ONNX Runtime Web alone, models by address, no disk. */
import { AvocetError } from "../../base/inner.ts";
import { openModel } from "../../formats/inner.ts";
import type { Platform } from "./platform.ts";

export const platform: Platform = {
  runtime: "ort-web",
  ortNode: async () => {
    throw new AvocetError("runtime/missing", "expected Node for the runtime ort-node, this is a browser", {
      hint: 'use openRuntime("ort-web")',
    });
  },
  ortWeb: async (providers) => (await import("./ort-web-browser.ts")).ortWebInBrowser(providers),
  webProviders: async () => (await import("./ort-web-browser.ts")).providersOfBrowser(),
  webThreads: undefined,
  modelBytes,
  openModel: async (address, options) => openModel(await modelBytes(address), { name: address, ...options }),
  openSpill: undefined,
};

function notThere(address: string, said: string, cause?: unknown): AvocetError {
  return new AvocetError("runtime/load", `expected a model at ${address}, got ${said}`, {
    at: address,
    hint: "check the address, and that the server lets this page read it (CORS)",
    cause,
  });
}

async function modelBytes(address: string): Promise<Uint8Array> {
  const answer = await fetch(address).catch((cause: unknown) => {
    throw notThere(address, String(cause), cause);
  });
  if (!answer.ok) throw notThere(address, `${answer.status} ${answer.statusText}`.trim());
  return new Uint8Array(await answer.arrayBuffer());
}
