/** Cells of bench/forms.mjs as Markdown. */
const line = (cells) => `| ${cells.join(" | ")} |`;

/** Whether a score is worse than float's by more than a point, or more than a hundredth of it where it is no percentage. */
export function misses({ unit, better }, float, score) {
  const loss = better === "lower" ? score - float : float - score;
  return loss > (unit.startsWith("%") ? 0.01 : 0.01 * Math.abs(float));
}

/** What no cell says yet, network by network. */
function absent({ cells, tasks }, forms) {
  const lines = tasks.flatMap(({ name }) => {
    const left = forms.filter((form) => !cells[`${name} | ${form}`]);
    if (left.length === 0) return [];
    return [`- ${name}: ${left.length === forms.length ? "nothing was run" : left.join(", ")}`];
  });
  return lines.length === 0 ? [] : ["## Not run yet", lines.join("\n")];
}

export function formsTable({ cells, tasks, machine, notes = {} }, forms) {
  const shown = tasks.filter(({ name }) => cells[`${name} | float`]);
  const figure = ({ unit }, score) =>
    unit.startsWith("%") ? (100 * score).toFixed(2) : score.toFixed(unit === "dB" ? 2 : 4);
  const head = ["form", "score", "of float", "bytes", "CPU s", "peak MB", "node ms", "× float", "wasm ms", "× float", "node / wasm, few samples"]; // biome-ignore format: one row
  const row = (task, form, cell) => {
    if (!cell) return [];
    if (cell.error) return [line([form, cell.error.replaceAll("|", "/"), ...head.slice(2).map(() => "")])];
    const float = cells[`${task.name} | float`].score;
    const ms = (pair) => (pair ? [pair[1].toFixed(2), (pair[1] / pair[0]).toFixed(2)] : ["", ""]);
    const { score, bytes, cpuSeconds, peakMB, part } = cell;
    const difference = form === "float" ? "" : figure(task, score - float);
    const web = part ? `${figure(task, part.node)} / ${figure(task, part.web)}` : (cell.webRefuses ?? "");
    return [
      line([
        form,
        figure(task, score),
        difference,
        bytes.toLocaleString("en"),
        cpuSeconds?.toFixed(1) ?? "",
        peakMB ?? "",
        ...ms(cell.ms),
        ...ms(cell.webMs),
        web,
      ]),
    ];
  };
  const part = (task) => {
    const extra = Object.keys(cells)
      .filter((key) => key.startsWith(`${task.name} | W8A8 per channel, `))
      .map((key) => key.slice(task.name.length + 3));
    const rows = [...forms, ...extra].flatMap((form) => row(task, form, cells[`${task.name} | ${form}`]));
    const unit = task.unit ? ` Score in ${task.unit}${task.better === "lower" ? ", less is better" : ""}.` : "";
    return [
      `## ${task.name}`,
      `${task.of}.${unit}`,
      [line(head), line(["---", ...head.slice(1).map(() => "--:")]), ...rows].join("\n"),
      ...verdict(task, cells, figure),
      ...(notes[task.name] ? [notes[task.name]] : []),
    ].join("\n\n");
  };
  return `# Every network in every form

\`node bench/forms.mjs\`, ${machine}. Target \`ort-cpu\`, preset \`standard\`. "of float" is the difference to float's score, CPU seconds are those of
quantization, peak MB is the process with its data when quantization ends, latencies are the fastest of interleaved runs of one sample; the last column
has the scores of Node and of WebAssembly on the same few samples. The machine does other work: ratios mean more than milliseconds.

${[...shown.map(part), ...absent({ cells, tasks }, forms)].join("\n\n")}
`;
}

function verdict(task, cells, figure) {
  const [float, made] = [cells[`${task.name} | float`], cells[`${task.name} | W8A8 per channel`]];
  if (!made || made.error) return [];
  if (!misses(task, float.score, made.score)) return [];
  const layers = (made.blamed ?? []).map(({ layer, sqnr }) => `\`${layer}\` (to ${sqnr.toFixed(1)} dB)`);
  const after = layers.length > 0 ? `; most noise is added at ${layers.join(", ")}` : "";
  return [`W8A8 per channel misses float by ${figure(task, Math.abs(float.score - made.score))}${after}.`];
}
