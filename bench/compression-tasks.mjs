/** The rows of bench/compression.mjs: networks, and what is asked of each. */
import { join } from "node:path";
import { fixture, root, tasks } from "./accuracy-tasks.mjs";

const known = Object.fromEntries(tasks().map((task) => [task.name, task]));
const settings = (name) => join(root, "bench", "preprocess", name);
const cifar = {
  fit: fixture("cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3"),
  truth: fixture("cifar10/train_jpegq75_5000_y.u8"),
};

const resnet20 = { ...known["ResNet-20"], ...cifar };
/** It was trained on lossless images and scores less on these: labels would teach it more than it lost, so only the float model teaches it. */
const resnet56 = { ...resnet20, name: "ResNet-56", model: fixture("resnet-cifar10-akamaster/resnet56.onnx") };
const ownData = (task) => task && { ...task, fit: task.data, truth: task.labels };
const mobilenet1 = ownData(known["MobileNetV1-0.25"]);
const mobilenet2 = ownData(known.MobileNetV2);
const espnet = ownData(known.ESPNet);
const fastestdet = ownData({
  name: "FastestDet",
  model: fixture("fastestdet-coco/FastestDet.onnx"),
  data: fixture("coco128-val-train/train2017_480.json"),
  judged: fixture("coco128-val-train/val2017.json"),
  labels: fixture("coco128-val-train/val2017.json"),
  preprocess: settings("fastestdet.json"),
  judging: ["--metric", "map50", "--decode", settings("fastestdet-boxes.json")],
});

const half = ["--target-macs", "0.5"];
const most = ["--target-macs", "0.7"];
const spatial = ["--schemes", "spatial-svd"];
const channels = ["--schemes", "channel-pruning"];
const both = ["--schemes", "channel-pruning,spatial-svd,weight-svd,output-svd"];
const plain = ["--fit", "plain"];
const metric = ["--selection", "metric"];

/** All that is done to a network of CIFAR-10 at half of its multiply-accumulates. */
function halved(task) {
  const name = (form) => `${task.name} | 50 % | ${form}`;
  const aware = name("spatial SVD on moments");
  return {
    [aware]: { task, options: [...half, ...spatial] },
    [name("spatial SVD, plain, the same ranks")]: { task, options: [...spatial, ...plain], ranksOf: aware },
    [name("best form of each layer, on moments")]: { task, options: half },
    [name("best form, ranks in multiples of 8")]: { task, options: [...half, "--multiple", "8"] },
    [name("channels on moments")]: { task, options: [...half, ...channels] },
    [name("channels by norm")]: { task, options: [...half, ...channels, ...plain] },
    [name("channels, then the best form, on moments")]: { task, options: [...half, ...both] },
    [name("AIMET's spatial SVD, every layer alike")]: {
      aimet: { network: task.name, scheme: "spatial_svd", share: "0.5", uniform: true },
    },
    [name("AIMET's channel pruning, every layer alike")]: {
      aimet: { network: task.name, scheme: "channel_pruning", share: "0.5", uniform: true },
    },
    [name("AIMET's spatial SVD")]: { aimet: { network: task.name, scheme: "spatial_svd", share: "0.5" } },
    [name("AIMET's channel pruning")]: { aimet: { network: task.name, scheme: "channel_pruning", share: "0.5" } },
  };
}

/** Ranks of spatial SVD chosen by scores, as AIMET chooses them, and fitted either way; scores are of the data that fits, at most 1,000 samples. */
function selected(task, share) {
  const name = (how) => `${task.name} | ${share} % | spatial SVD${how}, ranks chosen by scores`;
  const budget = ["--target-macs", String(share / 100), ...spatial, ...metric];
  return {
    [name(" on moments")]: { task, options: budget, scored: true },
    [name(", plain")]: { task, options: [...budget, ...plain], scored: true },
  };
}

/** One row a seed: trained in float, with the given model as teacher, and with labels where they are asked for. */
function trained(task, share, seeds, finetune, { labels = false, options = [], form = "best form" } = {}) {
  return Object.fromEntries(
    Array.from({ length: seeds }, (_, seed) => [
      `${task.name} | ${share} % | ${form}, trained, seed ${seed}`,
      {
        task,
        options: [
          ...["--target-macs", String(share / 100), ...options, "--seed", String(seed), "--finetune", finetune],
          ...(labels ? ["--finetune-labels", task.truth] : []),
        ],
      },
    ]),
  );
}

const at70 = (task) => ({
  [`${task.name} | 70 % | best form of each layer, on moments`]: { task, options: most },
  [`${task.name} | 70 % | channels on moments`]: { task, options: [...most, ...channels] },
});

export const compressionRows = {
  ...halved(resnet20),
  ...trained(resnet20, 50, 3, "epochs=18,learningRate=0.001,temperature=4,flip=true,crop=4", {
    options: spatial,
    form: "spatial SVD on moments",
  }),
  ...selected(resnet20, 50),
  "MobileNetV1-0.25 | 70 % | spatial SVD on moments": { task: mobilenet1, options: [...most, ...spatial] },
  ...selected(mobilenet1, 70),
  ...at70(mobilenet2),
  ...at70(espnet),
  ...at70(fastestdet),
  ...halved(resnet56),
  ...trained(resnet56, 50, 3, "epochs=2,learningRate=0.0001,temperature=4,flip=true,crop=4"),
};
