/** A tab of a real browser that opens model files: for tests, and for bench/matrix-browser.mjs. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { bundleForBrowser } from "./bundle.ts";
import { launchChromium } from "./chromium.ts";
import type { OpenerPage, Sent } from "./opener-page.ts";
import { serve } from "./serve.ts";

export type { Sent } from "./opener-page.ts";

export interface Opener extends AsyncDisposable {
  readonly version: string;
  describe(bytes: Uint8Array, name: string): ReturnType<OpenerPage["describe"]>;
  run(
    bytes: Uint8Array,
    name: string,
    feeds: Readonly<Record<string, Sent>>,
    provider: "wasm" | "webgpu",
  ): ReturnType<OpenerPage["run"]>;
}

/** The tab, or why there is none here. A tab that was closed is opened again. */
export async function openOpener(): Promise<Opener | { readonly because: string }> {
  const browser = await launchChromium();
  return "because" in browser ? browser : openerIn(browser);
}

export async function openerIn(browser: Browser): Promise<Opener> {
  const { files } = await bundleForBrowser("test/browser/opener-page.ts");
  const engine = dirname(fileURLToPath(import.meta.resolve("onnxruntime-web")));
  const script = [...files.keys()][0];
  const served = new Map<string, string | Uint8Array>([...files].map(([name, code]) => [`/${name}`, code]));
  served.set("/", `<!doctype html><title>Avocet</title><script type="module" src="/${script}"></script>`);
  const server = await serve(served, { "/engine/": engine });
  const open = async () => {
    const tab = await browser.newPage();
    await tab.goto(server.url);
    await tab.waitForFunction("globalThis.opener_");
    return tab;
  };
  let tab = await open();
  let next = 0;
  const at = (bytes: Uint8Array) => {
    const path = `/model-${next++}`;
    served.set(path, bytes);
    return path;
  };
  return {
    version: browser.version(),
    async describe(bytes, name) {
      const path = at(bytes);
      return tab.evaluate(([path, name]) => window.opener_.describe(path, name), [path, name] as const);
    },
    async run(bytes, name, feeds, provider) {
      const path = at(bytes);
      if (tab.isClosed()) tab = await open();
      try {
        return await tab.evaluate(([path, name, feeds, provider]) => window.opener_.run(path, name, feeds, provider), [
          path,
          name,
          feeds,
          provider,
        ] as const);
      } finally {
        served.delete(path);
      }
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

declare global {
  interface Window {
    readonly opener_: OpenerPage;
  }
}
