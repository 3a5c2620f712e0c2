/** A server for a test page on this machine: code and files under fixed names, isolated from other origins. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface Served extends AsyncDisposable {
  /** "http://127.0.0.1:PORT/" */
  readonly url: string;
}

const types: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

/** `files` holds what is served by path ("/model.onnx"); `folders` are served by prefix ("/engine/"). */
export async function serve(
  files: ReadonlyMap<string, string | Uint8Array>,
  folders: Readonly<Record<string, string>>,
): Promise<Served> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const body = files.get(path) ?? fromFolder(path, folders);
    // Shared memory, which threads of WebAssembly need, exists on isolated pages only.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (body === undefined) return void response.writeHead(404).end();
    const ending = path.slice(path.lastIndexOf(".") + 1);
    response.setHeader("Content-Type", types[ending === "/" ? "html" : ending] ?? "application/octet-stream");
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function fromFolder(path: string, folders: Readonly<Record<string, string>>): Uint8Array | undefined {
  const prefix = Object.keys(folders).find((name) => path.startsWith(name));
  const name = prefix === undefined ? "" : path.slice(prefix.length);
  if (!/^[\w.-]+$/.test(name)) return undefined;
  try {
    return readFileSync(join(folders[prefix!]!, name));
  } catch {
    return undefined;
  }
}
