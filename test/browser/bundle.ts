/** Bundles sources for a browser, as the bundler of a user would bundle the built package, and looks for Node in them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { root } from "../source-files.ts";

export interface Bundle {
  /** File name → code. The entry comes first. */
  readonly files: ReadonlyMap<string, string>;
  /** The files that load with the entry; the others load when they are needed. */
  readonly atOnce: ReadonlySet<string>;
  /** Modules that the code still imports. */
  readonly imports: readonly string[];
  /** What the bundler complained about. */
  readonly warnings: readonly string[];
}

const { exports, imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { readonly default: string }>;
  imports: Record<string, { readonly default: string; readonly node: string }>;
};
const sourceOf = (built: string) => join(root, built.replace("./dist/", "src/").replace(/\.js$/, ".ts"));

/** The package's own subpaths and #platform, on the source, under the conditions of a browser or of Node. */
export function packageAlias(platform: "default" | "node" = "default"): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, target] of Object.entries(imports)) found[name] = sourceOf(target[platform]);
  // Longer names first: an alias also stands for what begins with it.
  for (const [subpath, target] of Object.entries(exports).reverse()) {
    if (typeof target !== "string") found[`avocet${subpath.slice(1)}`] = sourceOf(target.default);
  }
  return found;
}

/** `input` is a path below the repository, or code when `code` is given; `external` modules stay imports. */
export async function bundleForBrowser(input: string, external: readonly RegExp[] = []): Promise<Bundle> {
  const warnings: string[] = [];
  const build = await rolldown({
    input: join(root, input),
    platform: "browser",
    // The compiler's paths name Node's platform; a bundle follows package.json.
    tsconfig: false,
    resolve: { alias: packageAlias() },
    external: [...external],
    onLog: (_level, log) => {
      warnings.push(log.message);
    },
  });
  try {
    const { output } = await build.generate({ format: "esm", minify: true });
    const chunks = output.filter((part) => part.type === "chunk");
    const files = new Map(chunks.map((chunk) => [chunk.fileName, chunk.code]));
    const named = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
    const atOnce = new Set<string>();
    const reach = (name: string): void => {
      const chunk = chunks.find(({ fileName }) => fileName === name);
      if (!chunk || atOnce.has(name)) return;
      atOnce.add(name);
      chunk.imports.forEach(reach);
    };
    for (const { isEntry, fileName } of chunks) if (isEntry) reach(fileName);
    return { files, atOnce, imports: [...new Set(named)].filter((name) => !files.has(name)), warnings };
  } finally {
    await build.close();
  }
}

/** Bytes of the files that load with the entry, minified, as they are and as a server sends them. */
export function weigh(bundle: Bundle): { readonly bytes: number; readonly gzip: number } {
  let bytes = 0;
  let gzip = 0;
  for (const [name, code] of bundle.files) {
    if (!bundle.atOnce.has(name)) continue;
    bytes += Buffer.byteLength(code);
    gzip += gzipSync(code, { level: 9 }).length;
  }
  return { bytes, gzip };
}
