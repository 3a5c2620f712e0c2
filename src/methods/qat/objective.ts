/**
 * What quantization-aware training minimises: the cross-entropy with labels, the distance from the float model (no labels
 * needed), or both. The float model is a branch of the same graph, so that it sees the very samples that the student sees,
 * augmented alike.
 */
import { absorb, cloneModel, type Model, type Node, type Value } from "../../ir/index.ts";
import { crossEntropy, distillation, type GraphLoss, meanSquaredError, weightedSum } from "../../train/index.ts";

export interface Objective {
  /** Share of the loss that looks at labels (0 … 1); the rest looks at the float model. */
  readonly labels: number;
  /** How outputs are compared with the float model's: as scores of classes on axis 1, or as numbers. */
  readonly compare: "classes" | "numbers";
  /** Divides the scores of both before they are compared. */
  readonly temperature: number;
  /** Share of a label that is spread over all classes. */
  readonly smoothing: number;
  /** Places with this label are not judged. */
  readonly ignore?: number | undefined;
}

export interface StudentAndTeacher {
  readonly model: Model;
  readonly loss: GraphLoss;
}

/** Name of the target that labels are fed under. */
export const labelTarget = "labels";

/** The student's graph with the float model beside it (where it is asked), and the loss over both. */
export function withObjective(student: Model, float: Model, objective: Objective): StudentAndTeacher {
  const model = cloneModel(student);
  const { graph } = model;
  // The float model's Softmax is left out on both sides: losses take scores and do it themselves, without underflow.
  const asScores = objective.compare === "classes";
  const outputs = graph.outputs.map((value) => (asScores ? beforeSoftmax(value) : value));
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const inside = new Map<Value, Value | null>(
    float.graph.inputs.map((value) => [value, inputs.get(value.name) ?? null]),
  );
  const teachers: Value[] = [];
  if (objective.labels < 1) {
    absorb(graph, float.graph, inside);
    for (const value of float.graph.outputs) teachers.push(inside.get(asScores ? beforeSoftmax(value) : value)!);
  }
  graph.setOutputs([...outputs, ...teachers]);
  const parts: { loss: GraphLoss; weight: number }[] = [];
  if (objective.labels > 0) {
    const { smoothing, ignore } = objective;
    const loss = crossEntropy({
      output: outputs[0]!.name,
      target: labelTarget,
      smoothing,
      ...(ignore === undefined ? {} : { ignore }),
    });
    parts.push({ loss, weight: objective.labels });
  }
  teachers.forEach((teacher, i) => {
    parts.push({ loss: toTeacher(outputs[i]!.name, teacher.name, objective), weight: 1 - objective.labels });
  });
  return { model, loss: weightedSum(parts) };
}

/** The distance of one output from another output of the same graph. */
function toTeacher(output: string, teacher: string, { compare, temperature }: Objective): GraphLoss {
  const names = { output, target: teacher };
  const loss = compare === "classes" ? distillation({ ...names, temperature }) : meanSquaredError(names);
  return { kind: "graph", targets: [], model: (outputs) => loss.model(pick(outputs, output), pick(outputs, teacher)) };
}

function pick<T>(all: Readonly<Record<string, T>>, name: string): Readonly<Record<string, T>> {
  return { [name]: all[name]! };
}

/** What a last Softmax reads, past the quantizer that may stand behind it; else the value itself. */
function beforeSoftmax(value: Value): Value {
  let node: Node | null = value.producer;
  while (node && ["DequantizeLinear", "QuantizeLinear", "Clip"].includes(node.op))
    node = node.input(0)?.producer ?? null;
  return node?.op === "Softmax" || node?.op === "LogSoftmax" ? node.input(0)! : value;
}
