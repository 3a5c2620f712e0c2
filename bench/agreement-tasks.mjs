/** The networks of bench/agreement.mjs: those of bench/ptq.mjs that choose a class for each sample, digits and spoken words. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fixture, root } from "./accuracy-tasks.mjs";
import { tasks as ptqTasks } from "./ptq-tasks.mjs";

const preprocess = (name) => join(root, "bench", "preprocess", name);
const words = `${fixture("mlperf-tiny-kws/kws01_x.bin")}?dtype=int8&shape=-1,49,10,1`;

const more = [
  {
    name: "MNIST",
    model: fixture("mnist/mnist-8.onnx"),
    data: fixture("mnist/t10k-images-idx3-ubyte.gz?every=50"),
    judged: fixture("mnist/t10k-images-idx3-ubyte.gz?except-every=50"),
    labels: fixture("mnist/t10k-labels-idx1-ubyte.gz"),
    preprocess: preprocess("mnist.json"),
    options: [],
  },
  {
    // A SavedModel: the folder is what every command takes.
    name: "DS-CNN",
    model: fixture("mlperf-tiny-kws/kws_ref_model"),
    data: `${words}&every=5`,
    judged: `${words}&except-every=5`,
    labels: fixture("mlperf-tiny-kws/kws01_y.u8"),
    preprocess: preprocess("kws.json"),
    options: [],
  },
];

export function tasks() {
  const classes = ptqTasks().filter(({ judging }) => !judging);
  return [...classes, ...more.filter(({ model }) => existsSync(model))];
}
