/**
 * Tables of bench/ptq.mjs as Markdown: one for each network and setting, a line a method. Scores and noise are means over seeds; time and
 * memory are those of the first seed.
 */

const line = (cells) => `| ${cells.join(" | ")} |`;

/** @param {{ rows: Record<string, readonly object[]>, machine?: string }} recorded */
export function tables({ rows, machine }) {
  const groups = group(rows);
  return [
    `Machine of the newest row: ${machine}. Rows of other days come from other machines, too: seconds compare within a table of\none day only.`,
    "",
    ...[...groups].flatMap(([title, named]) => [`### ${title}`, "", ...table(named), ""]),
  ].join("\n");
}

function group(rows) {
  const found = new Map();
  for (const [key, seeds] of Object.entries(rows)) {
    const [network, setting, method] = key.split(" | ");
    const title = setting === "preset" ? `${network}, presets` : `${network}, ${setting}`;
    found.set(title, [...(found.get(title) ?? []), { method, seeds }]);
  }
  return found;
}

function table(named) {
  const isTimed = named.some(({ seeds }) => seeds[0].ms !== undefined);
  const isWhole = named.some(({ seeds }) => seeds[0].all !== undefined);
  const head = [
    "method",
    "score",
    "output SQNR dB",
    "threads",
    "seconds",
    "processor s",
    "moments s",
    "passes",
    "peak MB",
  ];
  const more = [
    ...(isTimed ? ["ms float → quantized", "integer kernels"] : []),
    ...(isWhole ? ["all samples: float → quantized"] : []),
  ];
  return [
    line([...head, ...more]),
    line([...head, ...more].map((_, i) => (i === 0 ? "---" : "--:"))),
    ...named.map(({ method, seeds: [first, ...others] }) =>
      line([
        method,
        ...cells([first, ...others]),
        ...(isTimed ? speed(first) : []),
        ...(isWhole ? [whole(first)] : []),
      ]),
    ),
  ];
}

function cells(seeds) {
  const mean = (of) => seeds.reduce((sum, row) => sum + of(row), 0) / seeds.length;
  const [first] = seeds;
  return [
    scores(seeds),
    first.sqnr === undefined ? "" : mean((row) => row.sqnr).toFixed(1),
    first.threads,
    first.seconds.toFixed(1),
    first.cpuSeconds?.toFixed(1) ?? "",
    first.momentSeconds?.toFixed(1) ?? "",
    first.passCpuSeconds === undefined ? "" : (first.cpuSeconds / first.passCpuSeconds).toFixed(0),
    first.peakMB.toFixed(0),
  ];
}

/** The mean; with several seeds the lowest and the highest behind it. */
function scores(seeds) {
  const all = seeds.map(({ score }) => 100 * score);
  const mean = (all.reduce((a, b) => a + b, 0) / all.length).toFixed(2);
  return all.length === 1 ? mean : `${mean} (${Math.min(...all).toFixed(2)} … ${Math.max(...all).toFixed(2)})`;
}

function whole({ all, floatAll }) {
  return all === undefined ? "" : `${(100 * floatAll).toFixed(2)} → ${(100 * all).toFixed(2)}`;
}

function speed({ floatMs, ms, integerKernels, products }) {
  return ms === undefined ? ["", ""] : [`${floatMs.toFixed(2)} → ${ms.toFixed(2)}`, `${integerKernels} of ${products}`];
}
