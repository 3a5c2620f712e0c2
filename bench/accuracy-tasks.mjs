/** The networks of bench/accuracy.mjs: files, splits, preprocessing, and what peers gave on the same splits. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { preprocess } from "../examples/pictures/network.mjs";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
export const fixture = (name) => join(fixtures, name);
const settings = (name) => join(root, "bench", "preprocess", name);
/** Where the example's rendered pictures are written. */
export const pictures = join(root, "out", "bench-pictures");

/**
 * `everything` is what calibrates and what judges: for what has seen neither. `peers` are figures of AIMET-onnx 2.42.0 and ONNX Runtime's own tool on the same splits, as they were recorded on two
 * cores; they are cited, not run here.
 */
const all = [
  {
    name: "MobileNetV1-0.25",
    task: "ImageNet sample: calibrated on every fifth picture (200), judged on the other 800",
    model: fixture("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"),
    data: fixture("imagenet1k-sample/index.json?every=5"),
    judged: fixture("imagenet1k-sample/index.json?except-every=5"),
    everything: fixture("imagenet1k-sample/index.json"),
    labels: fixture("imagenet1k-sample/index.json"),
    training: {
      data: fixture("imagenet1k-sample/index.json?every=5"),
      labels: fixture("imagenet1k-sample/index.json"),
    },
    preprocess: settings("mobilenet-v1.json"),
    options: ["--batch", "10"],
    peers: {
      "AIMET float": 58.75,
      "AIMET W8A8 per channel, min-max": 47.88,
      "AIMET W8A8 per channel, SQNR": 52.62,
      "AIMET W8A8 per tensor, min-max": 0.12,
      "AIMET W8A8 per tensor, SQNR": 0.0,
      "AIMET W4A8 per channel, nearest": 0.0,
      "ONNX Runtime's tool, W8A8 per channel, min-max": 53.75,
      "ONNX Runtime's tool, W8A8 per channel, entropy": 53.75,
      "ONNX Runtime's tool, W8A8 per channel, percentile": 54.0,
    },
  },
  {
    name: "MobileNetV2",
    task: "ImageNet sample: calibrated on every fifth picture (200), judged on the other 800 (it seems to hold training pictures: differences count, not the level)",
    model: fixture("mobilenetv2-imagenet/mnv2_bn.onnx"),
    data: fixture("imagenet1k-sample/index.json?every=5"),
    judged: fixture("imagenet1k-sample/index.json?except-every=5"),
    everything: fixture("imagenet1k-sample/index.json"),
    labels: fixture("imagenet1k-sample/index.json"),
    preprocess: settings("imagenet-torch.json"),
    options: ["--batch", "10"],
    peers: {
      "AIMET float": 83.38,
      "AIMET W8A8 per channel, min-max": 80.12,
      "AIMET W8A8 per channel, SQNR": 81.25,
      "AIMET W8A8 per tensor, min-max": 76.88,
      "AIMET W8A8 per tensor, SQNR": 75.5,
      "AIMET W8A8 per tensor, cross-layer equalization": 80.12,
      "AIMET W4A8 per channel, nearest": 4.5,
      "NNCF W8A8 per channel, fast bias correction": 83.25,
    },
  },
  {
    name: "ResNet-20",
    task: "CIFAR-10 as JPEG: calibrated on the first 200 training pictures, judged on 5,000 of the test set",
    model: fixture("cifar10/resnet20_cifar10jpeg_finetuned.onnx"),
    data: fixture("cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3&first=200"),
    judged: fixture("cifar10/test_jpegq75_x.u8?shape=-1,32,32,3"),
    labels: fixture("cifar10/test_jpegq75_y.u8"),
    training: {
      data: fixture("cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3"),
      labels: fixture("cifar10/train_jpegq75_5000_y.u8"),
    },
    preprocess: settings("cifar10-resnet.json"),
    options: ["--batch", "50"],
    peers: {
      "AIMET float": 88.2,
      "AIMET W8A8 per channel, min-max": 88.1,
      "AIMET W8A8 per channel, SQNR": 88.02,
      "AIMET W8A8 per tensor, min-max": 88.1,
      "AIMET W8A8 per tensor, SQNR": 88.18,
      "AIMET W4A8 per channel, nearest": 84.62,
      "ONNX Runtime's tool, W8A8 per channel, min-max": 88.26,
      "ONNX Runtime's tool, W8A8 per channel, percentile": 88.12,
    },
  },
  {
    name: "ESPNet",
    task: "CamVid: calibrated on 46 training pictures, judged on every fourth test picture (59), mean IoU of 11 classes",
    model: fixture("espnet-camvid/espnet_camvid.onnx"),
    data: fixture("espnet-camvid/train_images.json"),
    judged: fixture("espnet-camvid/test_images.json?every=4"),
    labels: fixture("espnet-camvid/test_images.json"),
    preprocess: settings("espnet-camvid.json"),
    options: ["--class-axis", "1"],
    judging: ["--metric", "miou", "--ignore-label", "11"],
    peers: {
      "AIMET float": 57.6,
      "AIMET W8A8 per channel, min-max": 47.23,
      "AIMET W8A8 per channel, SQNR": 53.78,
      "AIMET W8A8 per tensor, min-max": 46.54,
      "AIMET W8A8 per tensor, SQNR": 54.34,
      "AIMET W4A8 per channel, nearest": 34.8,
      "ONNX Runtime's tool, W8A8 per channel, min-max": 45.02,
    },
  },
  {
    name: "bundled example",
    task: "rendered pictures: calibrated on 300, judged on 1,500",
    model: join(root, "examples", "models", "pictures.onnx"),
    data: join(pictures, "calibration"),
    judged: join(pictures, "test"),
    labels: join(pictures, "test"),
    preprocess: join(pictures, "preprocess.json"),
    options: ["--batch", "50"],
    peers: {},
  },
];

/** What JSON the example's preprocessing is. */
export const picturePreprocess = preprocess;

/** The tasks whose files are here; the others are told. */
export function tasks() {
  return all.filter(({ name, model }) => {
    if (existsSync(model)) return true;
    console.log(`${name} is left out: ${model} is not here (set AVOCET_FIXTURES)`);
    return false;
  });
}
