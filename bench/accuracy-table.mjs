/** Tables of bench/accuracy.mjs as Markdown: one per network, peers next to it, and what limits the default. */

const percent = (fraction) => (fraction === undefined ? "" : (100 * fraction).toFixed(2));
const line = (cells) => `| ${cells.join(" | ")} |`;

/** @param {readonly object[]} tasks @param {{ rows: Record<string, any>, machine?: string }} recorded */
export function tables(tasks, recorded) {
  const parts = tasks.map((task) => network(task, recorded.rows)).filter(Boolean);
  return `${[besidePeers(tasks, recorded.rows), `Machine: ${recorded.machine}.`, ...parts].join("\n\n")}\n`;
}

/** Our rows that have a peer on the same split, task by task: W8A8 per channel. */
const compared = [
  ["MobileNetV1-0.25", "aimet-default", "tf_enhanced", "AIMET W8A8 per channel, SQNR"],
  ["MobileNetV1-0.25", "aimet-default", "sqnr", "AIMET W8A8 per channel, SQNR"],
  ["MobileNetV1-0.25", "ort-cpu", "sqnr", "ONNX Runtime's tool, W8A8 per channel, percentile"],
  ["ResNet-20", "aimet-default", "tf_enhanced", "AIMET W8A8 per channel, SQNR"],
  ["ResNet-20", "ort-cpu", "sqnr", "AIMET float"],
  ["ESPNet", "aimet-default", "tf_enhanced", "AIMET W8A8 per channel, SQNR"],
  ["ESPNet", "aimet-default", "sqnr", "AIMET W8A8 per channel, SQNR"],
  ["ESPNet", "ort-cpu", "sqnr", "ONNX Runtime's tool, W8A8 per channel, min-max"],
];

function besidePeers(tasks, rows) {
  const found = compared.flatMap(([name, target, observer, peer]) => {
    const task = tasks.find((one) => one.name === name);
    const row = rows[`${name} | W8A8 per channel | ${target} | ${observer}`];
    if (!task || !row || row.error) return [];
    return [
      line([name, target, observer, percent(row.simulated), percent(row.stock), task.peers[peer].toFixed(2), peer]),
    ];
  });
  const head = line(["network", "target", "observer", "simulated", "stock session", "peer", "which"]);
  return ["### Next to the peers", "", head, line(["---", "---", "---", "--:", "--:", "--:", "---"]), ...found].join(
    "\n",
  );
}

const order = ["sqnr", "tf_enhanced", "minmax", "percentile:99.99", "mse", "entropy"];

function network({ name, task, peers, judging }, rows) {
  const float = rows[`${name} | float`];
  if (!float) return "";
  const named = Object.entries(rows).flatMap(([key, row]) => {
    const [network, setting, target, observer] = key.split(" | ");
    return network === name && observer !== undefined && setting !== "limits"
      ? [{ setting, target, observer, row }]
      : [];
  });
  const settings = ["W8A8 per channel", "W8A8 per tensor", "W8A16", "W4A8 nearest"];
  const sorted = settings.flatMap((setting) =>
    ["ort-cpu", "aimet-default"].flatMap((target) =>
      named
        .filter((r) => r.setting === setting && r.target === target)
        .sort((a, b) => order.indexOf(a.observer) - order.indexOf(b.observer)),
    ),
  );
  const unit = judging ? "mean IoU" : "top-1";
  return [
    `### ${name}`,
    `${task}. Float: **${percent(float.score)}** ${unit}, in percent as all scores below.`,
    [
      line([
        "setting",
        "target",
        "observer",
        "stock session",
        "simulated",
        "same decision",
        "calibrate s",
        "all s",
        "latency float → int ms",
        "float layers",
        "peak RSS MB",
      ]),
      line(["---", "---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"]),
      ...sorted.map(cells).map(line),
    ].join("\n"),
    ...peerTable(peers),
    ...limitText(name, rows),
  ].join("\n\n");
}

function cells({ setting, target, observer, row }) {
  if (row.error) return [setting, target, observer, row.error, "", "", "", "", "", "", ""];
  const { stock, simulated, agreement, calibrateSeconds, totalSeconds, latencyMs, floatKernels, peakRssBytes } = row;
  return [
    setting,
    target,
    observer,
    percent(stock),
    percent(simulated),
    percent(agreement.simulation),
    calibrateSeconds.toFixed(1),
    totalSeconds.toFixed(1),
    `${latencyMs.float.toFixed(2)} → ${latencyMs.quantized.toFixed(2)}`,
    floatKernels,
    Math.round(peakRssBytes / 1e6),
  ];
}

function peerTable(peers) {
  const entries = Object.entries(peers);
  if (entries.length === 0) return [];
  const rows = entries.map(([name, value]) => line([name, value.toFixed(2)]));
  return [
    "Peers on the same split, as recorded (AIMET-onnx 2.42.0 simulated; ONNX Runtime 1.32's tool):",
    [line(["peer", "score"]), line(["---", "--:"]), ...rows].join("\n"),
  ];
}

function limitText(name, rows) {
  const found = rows[`${name} | limits`];
  if (!found?.falls) return [];
  const experiments = found.falls.map(({ layer, value, sqnr, fall }) => {
    const without = rows[`${name} | limits | without ${layer}`];
    return line([`\`${layer}\``, `\`${value}\``, fall.toFixed(1), sqnr.toFixed(1), percent(without?.simulated)]);
  });
  const weights = found.weights.map(({ layer, channel, reach, spread }) =>
    line([`\`${layer}\``, channel, reach.toPrecision(3), spread.toFixed(1)]),
  );
  return [
    `Where most noise is added with the defaults (simulated ${percent(found.simulated)}; SQNR of the outputs ${found.outputs.map((o) => `${o.sqnr.toFixed(1)} dB`).join(", ")}), and the simulated score when that layer and its output alone stay in float:`,
    [
      line(["layer", "its value", "falls by dB", "to dB", "score without it"]),
      line(["---", "---", "--:", "--:", "--:"]),
      ...experiments,
    ].join("\n"),
    "Weights whose widest output channel stands out most:",
    [line(["layer", "channel", "its reach", "÷ median"]), line(["---", "--:", "--:", "--:"]), ...weights].join("\n"),
  ];
}
