/** Learning from the outputs of the float model, without labels (Hinton, Vinyals and Dean, 2015). */
import { chosenOutput, type GraphLoss, graphLoss } from "../loss.ts";

export interface DistillationOptions {
  /** Output with the student's scores; classes on axis 1 unless `axis` says otherwise. Default: the first. */
  readonly output?: string;
  /** Name of the target: the teacher's scores, in the same shape. Default "teacher". */
  readonly target?: string;
  /** Divides both scores. Default 1. */
  readonly temperature?: number;
  /** Axis of the classes. Default 1. */
  readonly axis?: number;
}

/**
 * T² · KL(softmax(t / T) ‖ softmax(x / T)), the mean over samples and positions: T² keeps the size of the gradient when the
 * temperature changes (section 2 of the paper). Zero where student and teacher agree.
 */
export function distillation(options: DistillationOptions = {}): GraphLoss {
  const { target = "teacher", temperature = 1, axis = 1 } = options;
  return graphLoss([target], (e, outputs, targets) => {
    const scores = chosenOutput(outputs, options.output);
    const shape = e.shape(scores);
    const places = e.size(scores) / shape.at(axis)!;
    const logs = (value: typeof scores) => e.op("LogSoftmax", [e.mul(value, 1 / temperature)], { axis });
    const [student, teacher] = [logs(scores), logs(targets[target]!)];
    const divergence = e.sum(e.mul(e.op("Exp", [teacher]), e.sub(teacher, student)));
    return e.mul(divergence, temperature ** 2 / places);
  });
}
