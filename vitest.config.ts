import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  exports: Record<string, string | { readonly default: string }>;
};

// The examples import the package by its name, as users do; tests run them on the source of what is exported.
const alias = Object.entries(exports).flatMap(([subpath, target]) => {
  if (typeof target === "string") return [];
  const source = target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts");
  return [{ find: new RegExp(`^avocet${subpath.slice(1)}$`), replacement: root + source }];
});

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    pool: "forks",
  },
});
