/** The networks of bench/latency.mjs: every fixture that is an ONNX file, with data where some is here. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "./accuracy-tasks.mjs";

const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
const fixture = (name) => join(fixtures, name);
const settings = (name) => join(root, "bench", "preprocess", name);

const imagenet = fixture("imagenet1k-sample/index.json?every=50");
const cifar = fixture("cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3&first=20");

/** `lengths`: of symbolic dimensions, the samples aside. Without `data` inputs are seeded noise: what runs how fast does not ask for more. */
const all = [
  { name: "bundled example", model: join(root, "examples", "models", "pictures.onnx") },
  { name: "MNIST", model: fixture("mnist/mnist-8.onnx") },
  {
    name: "ResNet-20",
    model: fixture("cifar10/resnet20_cifar10jpeg_finetuned.onnx"),
    data: cifar,
    preprocess: settings("cifar10-resnet.json"),
  },
  {
    name: "ResNet-56",
    model: fixture("resnet-cifar10-akamaster/resnet56.onnx"),
    data: cifar,
    preprocess: settings("cifar10-resnet.json"),
  },
  {
    name: "MobileNetV1-0.25",
    model: fixture("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"),
    data: imagenet,
    preprocess: settings("mobilenet-v1.json"),
  },
  {
    name: "MobileNetV2",
    model: fixture("mobilenetv2-imagenet/mnv2_bn.onnx"),
    data: imagenet,
    preprocess: settings("imagenet-torch.json"),
  },
  {
    name: "ESPNet",
    model: fixture("espnet-camvid/espnet_camvid.onnx"),
    data: fixture("espnet-camvid/train_images.json?first=8"),
    preprocess: settings("espnet-camvid.json"),
  },
  {
    name: "FastestDet",
    model: fixture("fastestdet-coco/FastestDet.onnx"),
    data: fixture("coco128-val-train/val2017.json?first=16"),
    preprocess: settings("fastestdet.json"),
  },
  { name: "Basic Pitch", model: fixture("basic-pitch/nmp.onnx") },
  { name: "DTLN 1", model: fixture("dtln-speech-enhancement/model_1.onnx") },
  { name: "DTLN 2", model: fixture("dtln-speech-enhancement/model_2.onnx") },
  { name: "English OCR", model: fixture("easyocr-english-g2/english_g2.onnx"), lengths: { W: 256 } },
  {
    name: "Silero VAD",
    model: fixture("silero-vad-lstm/silero_vad_16k_sequence.onnx"),
    lengths: { sequence_length: 16 },
  },
  { name: "Llama 260k", model: fixture("llama-stories260k/stories260k_T256.onnx"), most: 512 },
];

/** The networks whose files are here; the others are told. */
export function tasks() {
  return all.filter(({ name, model }) => {
    if (existsSync(model)) return true;
    console.log(`${name} is left out: ${model} is not here (set AVOCET_FIXTURES)`);
    return false;
  });
}
