/** The networks of bench/ptq.mjs: those of bench/accuracy.mjs, and ResNet-56 on the pictures of ResNet-20. */
import { tasks as accuracyTasks } from "./accuracy-tasks.mjs";

/** `batch` is how many samples a run takes in the pass that serves as the unit of time. */
export function tasks() {
  const known = accuracyTasks().map((task) => ({ ...task, batch: Number(task.options[1] ?? 1) }));
  const small = known.find((task) => task.name === "ResNet-20");
  if (!small) return known;
  const model = small.model.replace(/cifar10.resnet20.*$/, "resnet-cifar10-akamaster/resnet56.onnx");
  return [...known, { ...small, name: "ResNet-56", model }];
}
