/** Rules without a test of their own name: whose cases come to them. */
const testedWith = {
  "body-copy": ["control"],
  carried: ["control"],
  "contrib-attention": ["contrib", "attention"],
  "contrib-products": ["contrib"],
  "conv-input": ["linear"],
  "conv-weight": ["linear"],
  direction: ["recurrent"],
  "dot-products": ["attention", "contrib"],
  elementwise: ["arithmetic", "activations"],
  "gate-functions": ["contrib", "recurrent"],
  "grid-sample": ["images"],
  gru: ["recurrent"],
  loop: ["control"],
  lstm: ["recurrent"],
  "movement-index": ["movement"],
  normal: ["normalizations"],
  "roi-align": ["pooling"],
  sampling: ["images", "deform-conv"],
  scan: ["control"],
  scatter: ["placement", "movement"],
  slice: ["movement"],
  slopes: ["activations", "arithmetic", "recurrent"],
  strings: [],
  "time-steps": ["recurrent"],
};

/** Rules that PyTorch's numbers alone tell apart from others: those of kinks, ties and the ends of grids. */
const needGoldens = new Set(["quantizers"]);

/** The tests of one file of rules, those of the forms that its wing chooses, and those of the table as a whole. */
function testsOfRule(file) {
  const name = file.split("/").at(-1).replace(/\.ts$/, "");
  const forms = file.replace(/[^/]*$/, "forms.test.ts");
  const own = (testedWith[name] ?? [name]).map((one) => `src/autodiff/rules/*/${one}.test.ts`);
  return [
    ...own,
    forms,
    "src/autodiff/rules/refusals.test.ts",
    "src/autodiff/rules.test.ts",
    ...(needGoldens.has(name) ? ["src/autodiff/golden.test.ts"] : []),
  ];
}

/** What is mutated (globs from the root), and by which tests it must be found: globs, or what they are for a file. */
export const groups = {
  math: { mutate: ["src/methods/*/math.ts"], tests: ["src/methods/*/math.test.ts"] },
  observers: {
    mutate: [
      "src/quant/observers/*.ts",
      "!src/quant/observers/*.test.ts",
      "!src/quant/observers/observer-suite.ts",
      // WebAssembly as text, made by tools.
      "!src/quant/observers/kernels.generated.ts",
      "src/quant/observe/sensitivity.ts",
      "src/quant/observe/output-gradients.ts",
    ],
    tests: (file) => [`${file.replace(/[^/]*$/, "")}*.test.ts`],
  },
  range: { mutate: ["src/quant/grids/range.ts"], tests: ["src/quant/grids/range.test.ts"] },
  lower: {
    mutate: ["src/quant/lower/*.ts", "!src/quant/lower/*.test.ts"],
    tests: ["src/quant/lower/*.test.ts"],
  },
  place: {
    mutate: [
      "src/quant/place/place.ts",
      "src/quant/place/place-by-*.ts",
      "src/quant/place/place-parameters.ts",
      "!src/quant/place/*.test.ts",
    ],
    tests: ["src/quant/place/*.test.ts", "src/quant/targets/target.test.ts"],
  },
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
