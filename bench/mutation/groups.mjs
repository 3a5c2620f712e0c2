/** What is mutated, and by which tests it must be found: `mutate` and `tests` are globs from the root. */
export const groups = {
  math: { mutate: ["src/methods/*/math.ts"], tests: ["src/methods/*/math.test.ts"] },
  observers: {
    mutate: ["src/quant/observers/*.ts", "!src/quant/observers/*.test.ts", "!src/quant/observers/observer-suite.ts"],
    tests: ["src/quant/observers/*.test.ts"],
  },
  range: { mutate: ["src/quant/range.ts"], tests: ["src/quant/range.test.ts"] },
  lower: {
    mutate: ["src/quant/lower/*.ts", "!src/quant/lower/*.test.ts"],
    tests: ["src/quant/lower/*.test.ts"],
  },
  place: {
    mutate: ["src/quant/place.ts", "src/quant/place-by-*.ts", "src/quant/place-parameters.ts"],
    tests: ["src/quant/place*.test.ts", "src/quant/target.test.ts"],
  },
  "autodiff-rules": {
    mutate: ["src/autodiff/rules/*.ts", "!src/autodiff/rules/*.test.ts"],
    tests: ["src/autodiff/*.test.ts", "src/autodiff/rules/*.test.ts"],
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
