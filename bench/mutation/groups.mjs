import { testsBeside, testsOfRule } from "./tests-of.mjs";

/** What is mutated (globs from the root), and by which tests it must be found: globs, or what they are for a file. */
export const groups = {
  math: { mutate: ["src/methods/*/math.ts"], tests: (file) => [file.replace(/\.ts$/, ".test.ts")] },
  observers: {
    mutate: [
      "src/quant/observers/*.ts",
      "!src/quant/observers/*.test.ts",
      "!src/quant/observers/observer-suite.ts",
      // WebAssembly as text, made by tools.
      "!src/quant/observers/kernels.generated.ts",
    ],
    tests: testsBeside,
  },
  observe: { mutate: ["src/quant/observe/*.ts", "!src/quant/observe/*.test.ts"], tests: testsBeside },
  range: {
    mutate: ["src/quant/grids/range.ts", "src/quant/grids/ranged-encoding.ts"],
    tests: ["src/quant/grids/range.test.ts", "src/quant/grids/fake-quantize.test.ts"],
  },
  lower: { mutate: ["src/quant/lower/*.ts", "!src/quant/lower/*.test.ts"], tests: testsBeside },
  place: { mutate: ["src/quant/place/*.ts", "!src/quant/place/*.test.ts"], tests: testsBeside },
  "autodiff-rules": {
    mutate: ["src/autodiff/rules/*/*.ts", "!src/autodiff/rules/*/*.test.ts"],
    tests: testsOfRule,
  },
};

/** The files of a group among these paths. */
export function filesOf({ mutate }, paths) {
  const matches = (glob, path) => new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(path);
  const [without, within] = [true, false].map((not) => mutate.filter((glob) => glob.startsWith("!") === not));
  return paths.filter(
    (path) => within.some((glob) => matches(glob, path)) && !without.some((glob) => matches(glob.slice(1), path)),
  );
}
