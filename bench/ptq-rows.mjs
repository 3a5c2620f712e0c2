/** The rows of bench/ptq.mjs: name → what ptq-job.mjs is asked for, and AIMET's jobs. Names read "network | setting | method". */

const dead = { method: "dead-channels" };
const cle = { method: "cle" };
const bias = { method: "bias-correction" };
const adaround = { method: "adaround", iterations: 1000 };
const perTensor = { granularity: "tensor" };
/** For ResNets, whose calibration pictures are the first of a file. */
const thousand = (task) => task.data.replace("first=200", "first=1000");

/** Everything, in the order of the tables. `tasks` are those of ptq-tasks.mjs. */
export function rowsOf(tasks) {
  const has = (name) => tasks.some((task) => task.name === name);
  const small = tasks.find((task) => task.name === "ResNet-20");
  const all = {
    ...ladder("MobileNetV1-0.25", "W8A8 per tensor", perTensor),
    ...ladder("MobileNetV1-0.25", "W8A8 per channel", { granularity: "channel" }),
    ...withoutData("MobileNetV1-0.25"),
    ...recovery("MobileNetV1-0.25", "W4A8 per channel", { weights: "int4" }),
    ...recovery("ResNet-20", "W4A8 per channel", { weights: "int4" }),
    ...recovery("ResNet-20", "W4A8 per tensor", { weights: "int4", ...perTensor }),
    ...recovery("ResNet-20", "W3A8 per channel", { weights: "int3" }),
    ...recovery("ResNet-56", "W4A8 per channel", { weights: "int4" }),
    ...recovery("ResNet-56", "W3A8 per channel", { weights: "int3" }),
    ...recovery("ESPNet", "W8A8 per channel", {}),
    ...recovery("ESPNet", "W4A8 per channel", { weights: "int4" }),
    ...(small ? more("ResNet-20", "W4A8 per channel", { weights: "int4" }, thousand(small)) : {}),
    ...(small ? more("ResNet-20", "W3A8 per channel", { weights: "int3" }, thousand(small)) : {}),
    ...presets("MobileNetV1-0.25"),
    ...presets("MobileNetV2"),
    ...presets("MobileNetV2", "W8A8 per tensor, preset", { granularity: "tensor" }),
    ...presets("ResNet-20"),
    ...presets("ESPNet"),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => has(name.split(" | ")[0])));
}

/** AIMET's jobs by the same names: task and job of aimet.py, and how many pictures. */
export const aimet = {
  ...peers("ResNet-20", "resnet20", {
    "W4A8 per channel": "w4a8:",
    "W4A8 per tensor": "w4a8:tensor",
    "W3A8 per channel": "w3a8:",
  }),
  "ResNet-20 | W4A8 per channel | AIMET AdaRound 1,000, 1,000 pictures": ["resnet20", "adaround:w4a8::1000", 1000],
  ...peers("ResNet-56", "resnet56", { "W4A8 per channel": "w4a8:", "W3A8 per channel": "w3a8:" }),
};

function peers(network, task, settings) {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([setting, job]) => [
      [`${network} | ${setting} | AIMET nearest`, [task, `nearest:${job}`, 200]],
      [`${network} | ${setting} | AIMET SeqMSE`, [task, `seqmse:${job}:20`, 200]],
      [`${network} | ${setting} | AIMET AdaRound 1,000`, [task, `adaround:${job}:1000`, 200]],
    ]),
  );
}

function ladder(network, setting, settings) {
  return rows(network, setting, settings, {
    nearest: [],
    "+ dead channels": [dead],
    "+ CLE": [dead, cle],
    "+ bias correction": [dead, cle, bias],
    "+ AdaRound 1,000": [dead, cle, adaround],
    "dead channels, bias correction": [dead, bias],
    "dead channels, AdaRound 1,000": [dead, adaround],
  });
}

/** The same ladder from the model and its preprocessing alone. */
function withoutData(network) {
  const ladder = {
    nearest: [],
    "+ dead channels": ["dead"],
    "+ CLE": ["dead", "cle"],
    "+ bias correction": ["dead", "cle", "bias"],
    "dead channels, bias correction": ["dead", "bias"],
  };
  return Object.fromEntries(
    ["tensor", "channel"].flatMap((granularity) =>
      Object.entries(ladder).map(([name, steps]) => [
        `${network} | W8A8 per ${granularity}, no data | ${name}`,
        { task: network, dataFree: { granularity, steps } },
      ]),
    ),
  );
}

function recovery(network, setting, settings) {
  return rows(network, setting, settings, {
    nearest: [],
    "SeqMSE (AIMET's search)": [{ method: "seqmse", search: "aimet" }],
    "SeqMSE (fine)": [{ method: "seqmse" }],
    GPTQ: [{ method: "gptq" }],
    "descent only": [{ method: "adaround", iterations: 0 }],
    "AdaRound 1,000": [adaround],
    ...(network.startsWith("ResNet") ? {} : { "dead channels, AdaRound 1,000": [dead, adaround] }),
  });
}

/** AdaRound with 1,000 pictures, as many patch rows a picture as with 200. */
function more(network, setting, settings, data) {
  const recipe = { ...settings, samples: 1000, methods: [{ ...adaround, rowsPerColumn: 250 }] };
  return { [`${network} | ${setting} | AdaRound 1,000, 1,000 pictures`]: { task: network, data, recipe } };
}

function presets(network, setting = "preset", settings = {}) {
  const named = ["fast", "standard", "best"].map((preset) => [preset, { recipe: { preset, ...settings } }]);
  const all = [...named, ["data-free", { dataFree: settings }]];
  return Object.fromEntries(
    all.map(([name, spec]) => [`${network} | ${setting} | ${name}`, { task: network, ...spec }]),
  );
}

function rows(network, setting, settings, methods) {
  return Object.fromEntries(
    Object.entries(methods).map(([name, methods]) => [
      `${network} | ${setting} | ${name}`,
      { task: network, recipe: { ...settings, methods } },
    ]),
  );
}
