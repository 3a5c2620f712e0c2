/** The worker as one file of plain JavaScript, made of the sources: what is tried is what is written, without a build. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "../source-files.ts";

const { imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  imports: Record<string, { readonly node: string }>;
};

/** Writes the worker to a file below the repository, where its packages are found, and returns the path. */
export async function bundleWorker(name = "fuzz-worker.mjs"): Promise<string> {
  const sourceOf = (built: string) => join(root, built.replace("./dist/", "src/").replace(/\.js$/, ".ts"));
  const build = await rolldown({
    input: join(root, "test/fuzz/worker.ts"),
    platform: "node",
    tsconfig: false,
    resolve: { alias: Object.fromEntries(Object.entries(imports).map(([name, { node }]) => [name, sourceOf(node)])) },
    external: [/^(?!@oxc-project)[a-z@][^:]*$/i],
    // Node 20 has no `using` yet.
    transform: { target: "es2022" },
    onLog: () => {},
  });
  try {
    await build.write({ dir: join(root, "tmp"), format: "esm", entryFileNames: name });
    return join(root, "tmp", name);
  } finally {
    await build.close();
  }
}
