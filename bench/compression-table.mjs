/** The page of bench/compression.mjs, from its recorded rows. */

const percent = (value) => (value === null || value === undefined ? "" : (100 * value).toFixed(2));
const ms = (value) => (value < 1 ? value.toFixed(3) : value.toFixed(2));
const groups = (recorded) => {
  const found = new Map();
  for (const [name, row] of Object.entries(recorded)) {
    const [network, share, form] = name.split(" | ");
    const key = `${network}, ${share} of the multiply-accumulates`;
    found.set(key, [...(found.get(key) ?? []), { form, ...row }]);
  }
  return found;
};

export function compressionTable(recorded) {
  const parts = [...groups(recorded)].map(([title, rows]) => section(title, rows));
  return `# Compression in float, trained, and in int8

\`npm run build\`, then \`node bench/compression.mjs\`; what was asked of each row, ranks and notes stand in compression.json. Scores are of samples that
neither fitted nor trained; int8 is \`avocet quantize\` with its defaults on top. Seconds are of processor time, on one thread, judging included.
Latency is of one sample, one thread, both models in turn, the fastest of up to 400 rounds, on a machine that was busy; "arrives" is the share of
time saved over the share of multiply-accumulates saved.

${parts.join("\n")}`;
}

function section(title, rows) {
  const float = rows.find((row) => row.float !== null && row.float !== undefined)?.float;
  const scored = rows.map((row) => {
    const share = (key) => (row.cost ? percent(row.cost.after[key] / row.cost.before[key]) : "");
    const cells = [
      row.form,
      row.cost ? share("macs") : percent(row.share),
      row.cost ? share("parameters") : percent(row.parameters),
    ];
    return [...cells, percent(row.compressed), percent(row.int8), row.evaluations ?? "", row.cpuSeconds.toFixed(0)];
  });
  const timed = rows.flatMap((row) => {
    if (!row.latency) return [];
    const saved = 1 - row.cost.after.macs / row.cost.before.macs;
    const each = Object.values(row.latency).flatMap(([before, after]) => [
      `${ms(before)} → ${ms(after)}`,
      `${Math.round((100 * (1 - after / before)) / saved)} %`,
    ]);
    return [[row.form, ...each]];
  });
  const table = (heads, lines) =>
    [heads, heads.map((_, i) => (i === 0 ? "---" : "--:")), ...lines]
      .map((cells) => `| ${cells.join(" | ")} |`)
      .join("\n");
  return `## ${title}

Float: ${percent(float)} ${rows.find(({ metric }) => metric)?.metric ?? ""}.

${table(["form", "MACs %", "parameters %", "compressed", "int8 on top", "scores asked for", "CPU s"], scored)}

${timed.length > 0 ? `${table(["form", "node ms", "arrives", "wasm ms", "arrives"], timed)}\n` : ""}`;
}
