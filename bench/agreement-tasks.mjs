/** The networks of bench/agreement.mjs: those of bench/ptq.mjs that choose a class for each sample, and digits. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "./accuracy-tasks.mjs";
import { tasks as ptqTasks } from "./ptq-tasks.mjs";

const digits = join(resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures"), "mnist");

/**
 * The keyword spotting network of MLPerf Tiny is not among them: it comes as SavedModel and tflite, which no command reads.
 */
export function tasks() {
  const classes = ptqTasks().filter(({ judging }) => !judging);
  const mnist = {
    name: "MNIST",
    model: join(digits, "mnist-8.onnx"),
    data: join(digits, "t10k-images-idx3-ubyte.gz?every=50"),
    judged: join(digits, "t10k-images-idx3-ubyte.gz?except-every=50"),
    labels: join(digits, "t10k-labels-idx1-ubyte.gz"),
    preprocess: join(root, "bench", "preprocess", "mnist.json"),
    options: [],
  };
  return existsSync(mnist.model) ? [...classes, mnist] : classes;
}
