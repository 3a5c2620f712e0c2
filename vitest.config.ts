import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));
const { exports, imports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  exports: Record<string, string | { readonly default: string }>;
  imports: Record<string, { readonly node: string }>;
};
const sourceOf = (built: string) => root + built.replace("./dist/", "src/").replace(/\.js$/, ".ts");

// The examples import the package by its name, as users do; tests run them on the source of what is exported.
const alias = Object.entries(exports).flatMap(([subpath, target]) => {
  if (typeof target === "string") return [];
  return [{ find: new RegExp(`^avocet${subpath.slice(1)}$`), replacement: sourceOf(target.default) }];
});
// Tests run on the source of what differs between platforms, too.
for (const [name, { node }] of Object.entries(imports)) {
  alias.push({ find: new RegExp(`^${name}$`), replacement: sourceOf(node) });
}

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Vitest leaves a core to the terminal, which is half of a machine with two; no test measures time.
    maxWorkers: "100%",
  },
});
